import MartletBase
import MartletModel
import MartletPortfolio
import Testing

@Suite struct ContractPortfolioTests {
  private func amount(_ text: String) -> Amount { PortfolioTests.amount(text) }

  // MARK: Hand-worked

  @Test("M16: a linear round trip moves the wallet by profit less fees, in quote")
  func linearRoundTrip() throws {
    var desk = try ContractDesk(.linear)
    // 2 BTC at 60,000 and 1 at 63,000: cost 183,000, average 61,000.
    desk.book(desk.fill(.buy, 2_000, at: 600_000, fee: amount("60")))
    desk.book(desk.fill(.buy, 1_000, at: 630_000, fee: amount("31.5")))
    #expect(desk.position().cost == amount("183000"))
    // Opening moves the wallet by the fees alone.
    #expect(desk.wallet() == amount("9908.5"))
    #expect(
      desk.position().unrealized(at: Price(quanta: 620_000), of: desk.instrument) == amount("3000"))
    // 1 sold at 64,000: 64,000 − 61,000.
    desk.trade(.sell, 1_000, at: 640_000)
    #expect(desk.position().realized == amount("3000") && desk.wallet() == amount("12908.5"))
    // 3 sold at 60,000: 2 close at 60,000 − 61,000 each, 1 opens short.
    desk.trade(.sell, 3_000, at: 600_000)
    #expect(desk.position().realized == amount("1000") && desk.wallet() == amount("10908.5"))
    #expect(desk.position().net.quanta == -1_000 && desk.position().cost == amount("-60000"))
    // Bought back at 57,000.
    desk.trade(.buy, 1_000, at: 570_000)
    #expect(desk.wallet() == amount("13908.5") && desk.position().cost == .zero)
    #expect(desk.position().quoteFees == amount("91.5"))
  }

  @Test("M16: an inverse round trip moves the wallet by profit less fees, in base")
  func inverseRoundTrip() throws {
    var desk = try ContractDesk(.inverse, wallet: "1")
    // 6,000 USD at 60,000 cost 0.1 BTC, 6,000 at 40,000 cost 0.15: 0.25, average 48,000.
    desk.book(desk.fill(.buy, 6_000, at: 600_000, fee: amount("0.00005")))
    desk.trade(.buy, 6_000, at: 400_000)
    #expect(desk.position().cost == amount("0.25") && desk.wallet() == amount("0.99995"))
    // At 50,000 they are worth 0.24: 0.01 gained.
    #expect(
      desk.position().unrealized(at: Price(quanta: 500_000), of: desk.instrument) == amount("0.01"))
    // 4,000 sold at 50,000 for 0.08; a third of the cost leaves: 0.0833… − 0.08, down.
    desk.trade(.sell, 4_000, at: 500_000)
    #expect(desk.position().realized == amount("0.00333333333333333333"))
    // The rest at 50,000 for 0.16: what the rounding kept back comes out, 0.25 − 0.24 in all.
    desk.trade(.sell, 8_000, at: 500_000)
    #expect(desk.position().realized == amount("0.01") && desk.position().cost == .zero)
    #expect(desk.wallet() == amount("1.00995"))
    #expect(desk.position().baseFees == amount("0.00005"))
    // Short 10,000 at 50,000 and covered at 40,000: 0.25 − 0.2 gained.
    desk.trade(.sell, 10_000, at: 500_000)
    desk.trade(.buy, 10_000, at: 400_000)
    #expect(desk.wallet() == amount("1.05995"))
  }

  @Test("M16: a hedge account has a long and a short, each with its own profit")
  func hedged() throws {
    var desk = try ContractDesk(.linear, MarginPlan(leverage: 10, isHedged: true))
    desk.trade(.buy, 1_000, at: 600_000, .long)
    desk.trade(.sell, 400, at: 610_000, .short)
    #expect(desk.position(.long).net.quanta == 1_000 && desk.position(.short).net.quanta == -400)
    #expect(desk.position().net == .zero)
    // Long gains 1,000 at 61,000, short nothing. Margin of both: (61,000 + 24,400) ÷ 10.
    desk.portfolio.mark(desk.instrument.id, at: Price(quanta: 610_000))
    let found = desk.figures
    let figures = try #require(found)
    #expect(figures.unrealized == amount("1000") && figures.initial == amount("8540"))
    // (61,000 + 24,400) × 0.5 %.
    #expect(figures.maintenance == amount("427") && figures.free == amount("2460"))
    desk.trade(.buy, 400, at: 600_000, .short)
    #expect(
      desk.position(.short).realized == amount("400") && desk.position(.long).realized == .zero)
  }

  @Test("M16 M59: margin in use is that of the worse side, of what is held and what works")
  func marginInUse() throws {
    var desk = try ContractDesk(.linear)
    // Long 0.1 at 60,000: 6,000; buys of 0.2 at 59,000: 11,800; sells of 0.1 at 61,000: 6,100.
    desk.trade(.buy, 100, at: 600_000)
    desk.work(.buy, 200, at: 590_000)
    desk.work(.sell, 100, at: 610_000)
    // |6,000 + 11,800| against |6,000 − 6,100|: 17,800 ÷ 10.
    #expect(desk.figures?.initial == amount("1780") && desk.figures?.free == amount("8220"))
    // A reducing order holds nothing.
    desk.work(.sell, 100, at: 620_000, onlyReduces: true)
    #expect(desk.figures?.initial == amount("1780"))
    // Half the buys fill at their price: 0.2 held, worth 12,000 at the mark; 5,900 still work.
    let before = desk.order(.buy, 200, at: 590_000)
    desk.trade(.buy, 100, at: 590_000)
    desk.portfolio.orderChanged(
      AccountID(0), desk.instrument, before: before,
      after: desk.order(.buy, 200, at: 590_000, filled: 100))
    #expect(desk.figures?.initial == amount("1790"))
    // 100 gained at the mark by the second half, and the rest is canceled.
    desk.portfolio.orderChanged(
      AccountID(0), desk.instrument, before: desk.order(.buy, 200, at: 590_000, filled: 100),
      after: desk.order(.buy, 200, at: 590_000, filled: 100, .canceled))
    #expect(desk.figures?.initial == amount("1200") && desk.figures?.equity == amount("10100"))
    #expect(desk.figures?.maintenance == amount("60"))
    // 60 ÷ 10,100, up.
    #expect(desk.figures?.maintenanceShare == Rate(units: 59_405_941))
  }

  @Test("M16: an isolated position has its own margin, and gives its share back as it closes")
  func isolated() throws {
    var desk = try ContractDesk(.linear, MarginPlan(leverage: 20, mode: .isolated))
    // 0.3 at 60,000 = 18,000: 900 set aside.
    desk.trade(.buy, 300, at: 600_000)
    #expect(desk.portfolio.holding(AccountID(0), desk.instrument.id).isolated == amount("900"))
    #expect(desk.figures?.free == amount("9100") && desk.figures?.maintenance == .zero)
    // Cover 900: 900 + 0.3 p − 18,000 = 0.5 % × 0.3 p at p = 17,100 ÷ 0.2985 = 57,286.43…
    #expect(desk.portfolio.liquidationPrice(AccountID(0), desk.instrument.id)?.quanta == 572_864)
    // Funding comes out of it: −0.01 % of 18,000.
    let payment = FundingPayment(
      account: AccountID(0), instrument: desk.instrument.id, amount: amount("-1.8"),
      rate: Rate(units: 1_000_000), mark: Price(quanta: 600_000), dueAt: Desk.time(5))
    let own = desk.portfolio.book(payment, of: desk.instrument, at: Desk.time(6))
    #expect(own == amount("-1.8"))
    #expect(desk.portfolio.holding(AccountID(0), desk.instrument.id).isolated == amount("898.2"))
    // A third closed: a third back, with what it lost.
    desk.trade(.sell, 100, at: 590_000)
    #expect(desk.portfolio.holding(AccountID(0), desk.instrument.id).isolated == amount("598.8"))
    #expect(desk.wallet() == amount("9898.2"))
    desk.trade(.sell, 200, at: 600_000)
    #expect(desk.portfolio.holding(AccountID(0), desk.instrument.id).isolated == .zero)
  }

  @Test("M16: funding is booked once, whoever tells it again")
  func fundingOnce() throws {
    var desk = try ContractDesk(.inverse, wallet: "1")
    desk.trade(.sell, 10_000, at: 500_000)
    // 0.2 BTC at 50,000 × 0.01 %, to the short.
    var payment = FundingPayment(
      account: AccountID(0), instrument: desk.instrument.id, amount: amount("0.00002"),
      rate: Rate(units: 1_000_000), mark: Price(quanta: 500_000), dueAt: Desk.time(5))
    for expected in [amount("0.00002"), nil, nil] {
      let own = desk.portfolio.book(payment, of: desk.instrument, at: Desk.time(6))
      #expect(own == expected)
    }
    payment.dueAt = Desk.time(9)
    payment.amount = amount("0.00003")
    // What the venue booked is what moves; our own sum of it is told.
    let other = desk.portfolio.book(payment, of: desk.instrument, at: Desk.time(9))
    #expect(other == amount("0.00002"))
    #expect(desk.wallet() == amount("1.00005"))
    #expect(desk.portfolio.holding(AccountID(0), desk.instrument.id).funding == amount("0.00005"))
  }

  @Test("M16: a cross position is liquidated by what the whole wallet and its neighbors leave")
  func crossLiquidationPrice() throws {
    var desk = try ContractDesk(.linear, wallet: "6000")
    desk.trade(.buy, 1_000, at: 600_000)
    // As in the page of fixtures, with 0.5 % alone: 6,000 + p − 60,000 = 0.5 % p at 54,271.35…
    #expect(desk.portfolio.liquidationPrice(AccountID(0), desk.instrument.id)?.quanta == 542_713)
    // Another contract with 1,000 lost and 300 of maintenance takes 1,300 of the cover:
    // 4,700 + p − 60,000 = 0.5 % p at 55,577.88…
    let other = ContractDesk.instrument(.linear, 1)
    desk.portfolio.learn(try ContractDesk.terms(other), MarginPlan(leverage: 10))
    desk.portfolio.mark(other.id, at: Price(quanta: 600_000))
    var fill = desk.fill(.buy, 1_000, at: 610_000)
    fill.instrument = other.id
    desk.portfolio.book(fill, of: other, at: Desk.time(3))
    #expect(desk.portfolio.liquidationPrice(AccountID(0), desk.instrument.id)?.quanta == 555_778)
  }

  @Test func equityIsTheWalletWithWhatIsOpen() throws {
    var desk = try ContractDesk(.linear)
    desk.trade(.buy, 1_000, at: 600_000)
    let mark = Price(quanta: 590_000)
    // The venue's own mark goes before the book's.
    let track = desk.portfolio.mark(AccountID(0), desk.instrument, at: mark, now: Desk.time(2))
    #expect(track?.current == amount("10000"))
    desk.portfolio.mark(desk.instrument.id, at: mark)
    let next = desk.portfolio.mark(AccountID(0), desk.instrument, at: mark, now: Desk.time(3))
    #expect(next?.current == amount("9000") && next?.drawdown == amount("1000"))
    // A deposit is neither.
    desk.portfolio.transferred(amount("500"), of: "USD", AccountID(0), desk.instrument)
    #expect(
      desk.portfolio.track(AccountID(0), desk.instrument.id)?.drawdown == amount("1000"))
  }

  // MARK: Properties

  @Test("M7 M16: trading between accounts makes nothing and loses nothing but the fees")
  func conserved() throws {
    for seed in UInt64(1)...120 {
      var random = SeededRandom(seed: seed)
      let kind: Instrument.Kind = random.below(2) == 0 ? .linear : .inverse
      let modes: [MarginMode] = [.cross, .isolated]
      var desk = try ContractDesk(
        kind, accounts: 3, MarginPlan(leverage: 7, mode: modes[Int(random.below(2))]))
      var fees = Amount.zero
      var net: [Int64] = [0, 0, 0]
      for _ in 0..<80 {
        let buyer = UInt16(random.below(3))
        let seller = (buyer + 1 + UInt16(random.below(2))) % 3
        let quantity = random.integer(in: 1...5_000)
        let price = random.integer(in: 300_000...900_000)
        for (account, side) in [(buyer, Side.buy), (seller, .sell)] {
          let fee = Amount(units: Int128(random.integer(in: -1_000...1_000_000)) * powerOfTen(12))
          fees = fees + fee
          net[Int(account)] += side == .buy ? quantity : -quantity
          desk.book(desk.fill(side, quantity, at: price, of: account, fee: fee))
        }
        var sum = Amount.zero
        for account in UInt16(0)..<3 {
          let position = desk.position(of: account)
          #expect(position.net.quanta == net[Int(account)], "seed \(seed)")
          #expect(position.net != .zero || position.cost == .zero, "seed \(seed)")
          let open = kind == .inverse ? -position.cost : position.cost
          sum = sum + desk.wallet(account) - open
        }
        #expect(sum == amount("30000") - fees, "seed \(seed)")
      }
      // All flat: the wallets alone hold what was there, to the last digit.
      for account in UInt16(0)..<3 where net[Int(account)] != 0 {
        let side: Side = net[Int(account)] > 0 ? .sell : .buy
        desk.book(desk.fill(side, abs(net[Int(account)]), at: 555_555, of: account))
      }
      let wallets = desk.wallet(0) + desk.wallet(1) + desk.wallet(2)
      // The last fills have nobody on the other side; of an inverse contract each may be a digit off.
      let slack = kind == .inverse ? UInt128(3) : 0
      let apart = wallets - (amount("30000") - fees)
      #expect(apart.units.magnitude <= slack, "seed \(seed)")
      for account in UInt16(0)..<3 {
        #expect(
          desk.portfolio.holding(AccountID(account), desk.instrument.id).isolated == .zero,
          "seed \(seed)")
      }
    }
  }

  @Test("M16: going through zero is closing all and opening the rest")
  func flips() throws {
    for seed in UInt64(1)...300 {
      var random = SeededRandom(seed: seed)
      let kind: Instrument.Kind = random.below(2) == 0 ? .linear : .inverse
      let mode: MarginMode = random.below(2) == 0 ? .cross : .isolated
      var once = try ContractDesk(kind, MarginPlan(leverage: 3, mode: mode))
      var twice = try ContractDesk(kind, MarginPlan(leverage: 3, mode: mode))
      let side: Side = random.below(2) == 0 ? .buy : .sell
      let held = random.integer(in: 1...9_000)
      let more = random.integer(in: 1...9_000)
      let entry = random.integer(in: 100_000...900_000)
      let price = random.integer(in: 100_000...900_000)
      once.trade(side, held, at: entry)
      twice.trade(side, held, at: entry)
      once.trade(side.opposite, held + more, at: price)
      twice.trade(side.opposite, held, at: price)
      #expect(twice.position().net == .zero && twice.position().cost == .zero, "seed \(seed)")
      twice.trade(side.opposite, more, at: price)
      let (one, two) = (once.position(), twice.position())
      #expect(one.net == two.net && one.realized == two.realized, "seed \(seed)")
      #expect(once.wallet() == twice.wallet(), "seed \(seed)")
      // Two trades are valued one by one, and may come to a last digit more or less than one.
      let slack = kind == .inverse ? UInt128(1) : 0
      #expect((one.cost - two.cost).units.magnitude <= slack, "seed \(seed)")
      let instrument = once.instrument.id
      let apart =
        once.portfolio.holding(AccountID(0), instrument).isolated
        - twice.portfolio.holding(AccountID(0), instrument).isolated
      #expect(apart.units.magnitude <= slack, "seed \(seed)")
    }
  }

  @Test func whatContractsAddIsReadBackAndSpotIsWrittenAsEver() throws {
    var desk = try ContractDesk(.linear, MarginPlan(leverage: 5, mode: .isolated, isHedged: true))
    desk.trade(.buy, 100, at: 600_000, .long)
    desk.work(.sell, 50, at: 610_000, .short)
    var writer = SnapshotWriter()
    desk.portfolio.write(to: &writer)
    let bytes = writer.bytes.copy()
    var reader = SnapshotReader(bytes)
    var read = Portfolio()
    try read.read(from: &reader)
    #expect(reader.isAtEnd && read.allContracts == desk.portfolio.allContracts)
    #expect(read.allPositions == desk.portfolio.allPositions)
    #expect(
      read.holding(AccountID(0), desk.instrument.id, side: .short)
        == desk.portfolio.holding(AccountID(0), desk.instrument.id, side: .short))
    var again = SnapshotWriter()
    read.write(to: &again)
    #expect(again.bytes.copy() == bytes)
    for length in 0..<bytes.count {
      var cut = SnapshotReader(Array(bytes.prefix(length)))
      var other = Portfolio()
      #expect(throws: SnapshotReader.Fault.self) { try other.read(from: &cut) }
    }
    // A portfolio that never saw a contract begins as it did before there were any.
    var plain = SnapshotWriter()
    PortfolioTests.portfolio(base: "1").write(to: &plain)
    #expect(Array(plain.bytes.copy().prefix(10)) == [9] + Array("portfolio".utf8))
  }
}
