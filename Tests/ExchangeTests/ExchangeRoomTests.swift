import Testing

@Suite struct ExchangeRoomTests {}
