/// Replaced.
public enum ClockRoom {}
