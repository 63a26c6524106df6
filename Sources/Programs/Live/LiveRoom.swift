/// Replaced.
public enum LiveRoom {}
