import Testing

@Suite struct EdgesRoomTests {}
