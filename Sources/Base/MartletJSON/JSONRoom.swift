/// Replaced by the scanner and the writer.
public enum JSONRoom {}
