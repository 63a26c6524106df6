/// Replaced.
public enum HistoryRoom {}
