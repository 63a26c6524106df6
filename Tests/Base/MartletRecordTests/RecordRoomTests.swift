import Testing

@Suite struct RecordRoomTests {}
