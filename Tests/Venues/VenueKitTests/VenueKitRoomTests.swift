import Testing

@Suite struct VenueKitRoomTests {}
