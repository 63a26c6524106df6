import Testing

@Suite struct WhiteBITRoomTests {}
