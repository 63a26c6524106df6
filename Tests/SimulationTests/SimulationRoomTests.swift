import Testing

@Suite struct SimulationRoomTests {}
