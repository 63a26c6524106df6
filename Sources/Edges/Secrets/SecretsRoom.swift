/// Replaced.
public enum SecretsRoom {}
