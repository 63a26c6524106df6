/// Replaced.
public enum ExchangeServerRoom {}
