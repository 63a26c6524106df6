/// Replaced.
public enum TransportRoom {}
