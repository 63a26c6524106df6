import Testing

@Suite struct TransportRoomTests {}
