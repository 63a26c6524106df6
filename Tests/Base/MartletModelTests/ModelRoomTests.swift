import Testing

@Suite struct ModelRoomTests {}
