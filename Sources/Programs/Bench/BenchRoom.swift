/// Replaced.
public enum BenchRoom {}
