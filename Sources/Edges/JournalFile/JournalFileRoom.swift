/// Replaced.
public enum JournalFileRoom {}
