/// Replaced.
public enum GridRoom {}
