import Testing

@Suite struct PathRoomTests {}
