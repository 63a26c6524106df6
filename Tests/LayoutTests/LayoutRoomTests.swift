import Testing

@Suite struct LayoutRoomTests {}
