import Testing

@Suite struct BaseRoomTests {}
