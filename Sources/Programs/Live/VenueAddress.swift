internal import MartletConfiguration
internal import MartletTransport

/// Where the venue is, and how it proves to be it.
struct VenueAddress {
  let rest: RESTEndpoint
  let websocket: WebSocketURL
  let trust: TLSTrust
  /// For sockets; nil when the WebSocket is a plain one on this machine.
  let tls: TLSContext?

  /// Why a configuration's venue cannot be reached from here, for a person.
  struct Fault: Error, CustomStringConvertible {
    let description: String
  }

  init(_ venue: BotConfiguration.Venue) throws(Fault) {
    do {
      rest = try RESTEndpoint(venue.rest, allowsPlain: true)
      websocket = try WebSocketURL(venue.websocket)
      trust = TLSTrust(
        authorities: venue.authorities, pins: venue.pins.compactMap { TLSPin(base64: $0) })
      guard trust.pins.count == venue.pins.count else {
        throw Fault(description: "one of the pins is no SHA-256 in base64")
      }
      tls = websocket.isSecure ? try TLSContext(trust) : nil
    } catch {
      throw Fault(description: "[venue.whitebit]: \(error)")
    }
  }

  /// How requests are sent there.
  func configuration(
    _ change: (inout RESTClient.Configuration) -> Void = { _ in }
  ) -> RESTClient.Configuration {
    var configuration = RESTClient.Configuration()
    configuration.trust = trust
    change(&configuration)
    return configuration
  }
}
