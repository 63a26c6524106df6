/// Replaced.
public enum ExchangeRoom {}
