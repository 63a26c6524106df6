import CMartletCrypto
import Glibc

/// Which build this is, as a journal's first record keeps it: the version, and the digest of the
/// program's own file.
enum BuildIdentity {
  static let version = "0.1.0"

  static let text: String = {
    let descriptor = unsafe open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "martlet \(version)" }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_size > 0 else {
      return "martlet \(version)"
    }
    let size = Int(status.st_size)
    guard let bytes = unsafe mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0),
      unsafe bytes != MAP_FAILED
    else { return "martlet \(version)" }
    defer { unsafe munmap(bytes, size) }
    var digest = [UInt8](repeating: 0, count: 32)
    // `size` bytes are mapped; the digest takes 32.
    unsafe cmartlet_sha256(bytes.assumingMemoryBound(to: UInt8.self), size, &digest)
    let name = digest.prefix(6).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    return "martlet \(version) \(name)"
  }()
}
