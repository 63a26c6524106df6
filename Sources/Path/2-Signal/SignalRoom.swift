/// Replaced.
public enum SignalRoom {}
