/// Replaced.
public enum KernelRoom {}
