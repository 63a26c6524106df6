/// Replaced.
public enum ConfigurationRoom {}
