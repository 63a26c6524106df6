/// Replaced by the framing.
public enum RecordRoom {}
