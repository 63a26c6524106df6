internal import CMartletCrypto
public import MartletRecord

/// The journal's digests from the system: CRC-32C by processor instruction, SHA-256 by libcrypto.
public struct LibraryHashing: RecordHashing {
  public init() {}

  public func crc32c(_ crc: UInt32, _ bytes: RawSpan) -> UInt32 {
    // The shim reads the bytes during the call and keeps nothing.
    unsafe bytes.withUnsafeBytes { unsafe cmartlet_crc32c(crc, $0.baseAddress, $0.count) }
  }

  public func link(after previous: RecordLink, header: RawSpan, payload: RawSpan) -> RecordLink {
    var link = RecordLink.origin
    // All four live through the call; the shim reads three and writes the 32 bytes of the last.
    unsafe withUnsafeBytes(of: previous) { previous in
      unsafe header.withUnsafeBytes { header in
        unsafe payload.withUnsafeBytes { payload in
          unsafe withUnsafeMutableBytes(of: &link) { digest in
            unsafe cmartlet_sha256_of_three(
              previous.baseAddress, previous.count, header.baseAddress, header.count,
              payload.baseAddress, payload.count,
              digest.assumingMemoryBound(to: UInt8.self).baseAddress.unsafelyUnwrapped)
          }
        }
      }
    }
    return link
  }

  /// Side by side, where the processor can.
  public func links(
    firstHead: RawSpan, firstPayload: RawSpan, secondHead: RawSpan, secondPayload: RawSpan
  ) -> (RecordLink, RecordLink) {
    precondition(
      firstHead.byteCount == 64 && secondHead.byteCount == 64, "a head of another length")
    var links: (first: RecordLink, second: RecordLink) = (.origin, .origin)
    // All live through the call; the shim reads four and writes the 32 bytes of each of the last two.
    unsafe firstHead.withUnsafeBytes { firstHead in
      unsafe firstPayload.withUnsafeBytes { firstPayload in
        unsafe secondHead.withUnsafeBytes { secondHead in
          unsafe secondPayload.withUnsafeBytes { secondPayload in
            unsafe withUnsafeMutableBytes(of: &links) { digests in
              let start = unsafe digests.assumingMemoryBound(to: UInt8.self).baseAddress
                .unsafelyUnwrapped
              unsafe cmartlet_sha256_of_two(
                firstHead.baseAddress.unsafelyUnwrapped, firstPayload.baseAddress,
                firstPayload.count, start, secondHead.baseAddress.unsafelyUnwrapped,
                secondPayload.baseAddress, secondPayload.count, start + 32)
            }
          }
        }
      }
    }
    return links
  }
}
