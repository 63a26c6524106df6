/// Replaced.
public enum OrdersRoom {}
