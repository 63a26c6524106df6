public import MartletBase

/// How soon a person must look.
public enum AlertSeverity: String, CaseIterable, Sendable {
  case info, warning, critical
}

/// What an alert is about. The raw values are stable: people and programs search for them.
///
/// What each means, what was done about it already and what is left to do stands here and, word for
/// word, in Docs/Operating.md.
public enum AlertCode: String, CaseIterable, Sendable {
  case halted
  case journal
  case journalRoom = "journal-room"
  case journalHead = "journal-head"
  case journalPacking = "journal-packing"
  case journalDamaged = "journal-damaged"
  case journalCut = "journal-cut"
  case keyRefused = "key-refused"
  case deadManLost = "dead-man-lost"
  case deadManRefresh = "dead-man-refresh"
  case deadManMissing = "dead-man-missing"
  case deadManAbandoned = "dead-man-abandoned"
  case bookSilent = "book-silent"
  case tradesSilent = "trades-silent"
  case privateSilent = "private-silent"
  case streamLost = "stream-lost"
  case bookUntrusted = "book-untrusted"
  case orderInDoubt = "order-in-doubt"
  case orderStuck = "order-stuck"
  case orderRefused = "order-refused"
  case riskRefused = "risk-refused"
  case tradeBalanceShort = "trade-balance-short"
  case orderNeverArrived = "order-never-arrived"
  case venueContradiction = "venue-contradiction"
  case ledgerDiffers = "ledger-differs"
  case ledgerUnchecked = "ledger-unchecked"
  case ledgerAdjusted = "ledger-adjusted"
  case fillUnproven = "fill-unproven"
  case fillsProven = "fills-proven"
  case quota
  case quotaBreaker = "quota-breaker"
  case retriesExhausted = "retries-exhausted"
  case clockSkew = "clock-skew"
  case calendarSet = "calendar-set"
  case nonceRefused = "nonce-refused"
  case messageUnreadable = "message-unreadable"
  case foreignOrder = "foreign-order"
  case cleanSlate = "clean-slate"
  case venueError = "venue-error"
  case requestFailed = "request-failed"
  case tlsRefused = "tls-refused"
  case marketClosed = "market-closed"
  case strategyIdle = "strategy-idle"
  case flattenIncomplete = "flatten-incomplete"
  case stopInert = "stop-inert"
  case stopRearmed = "stop-rearmed"
  case stopUnfilled = "stop-unfilled"
  case operatorAction = "operator-action"
  case alertSink = "alert-sink"
  case test

  public var severity: AlertSeverity {
    switch self {
    case .halted, .journal, .journalRoom, .journalDamaged, .journalCut, .keyRefused, .deadManLost,
      .deadManAbandoned, .bookSilent,
      .privateSilent, .orderStuck, .venueContradiction, .ledgerDiffers, .fillUnproven,
      .quotaBreaker, .retriesExhausted, .clockSkew, .tlsRefused, .flattenIncomplete, .stopInert,
      .stopUnfilled:
      .critical
    case .journalHead, .journalPacking, .deadManRefresh, .deadManMissing, .tradesSilent,
      .streamLost,
      .bookUntrusted, .orderInDoubt, .orderRefused, .riskRefused, .tradeBalanceShort,
      .orderNeverArrived,
      .ledgerUnchecked, .ledgerAdjusted, .quota, .calendarSet, .nonceRefused,
      .messageUnreadable, .foreignOrder, .cleanSlate, .venueError, .requestFailed, .marketClosed,
      .strategyIdle, .stopRearmed, .alertSink:
      .warning
    case .fillsProven, .operatorAction, .test: .info
    }
  }

  /// Whether it is a state, which ends with one line of its own, or something that happened.
  public var hasEnd: Bool {
    switch self {
    case .halted, .journalRoom, .journalHead, .journalPacking, .deadManLost, .deadManRefresh,
      .deadManAbandoned,
      .bookSilent, .tradesSilent,
      .privateSilent, .streamLost, .bookUntrusted, .orderInDoubt, .ledgerDiffers, .quotaBreaker,
      .retriesExhausted, .clockSkew, .tlsRefused, .marketClosed, .strategyIdle, .stopInert,
      .stopUnfilled, .alertSink:
      true
    case .journal, .journalDamaged, .journalCut, .keyRefused, .deadManMissing, .orderStuck,
      .orderRefused,
      .riskRefused,
      .tradeBalanceShort,
      .orderNeverArrived,
      .venueContradiction, .ledgerUnchecked, .ledgerAdjusted, .fillUnproven, .fillsProven, .quota,
      .calendarSet, .nonceRefused, .messageUnreadable, .foreignOrder, .cleanSlate, .venueError,
      .requestFailed,
      .flattenIncomplete, .stopRearmed,
      .operatorAction, .test:
      false
    }
  }

  /// What goes on is told again no sooner than this, however short `[alerts] repeat` is.
  public var leastInterval: TimeSpan { self == .journalPacking ? AlertCode.patience : .zero }

  /// Of what endangers nothing for many hours.
  private static let patience = TimeSpan.seconds(3_600)

  /// What it means, what Martlet has done by the time it is told, and what is left to a person.
  public var text: (means: String, done: String, todo: String) {
    switch self {
    case .halted:
      (
        "trading halted, for the reason told",
        "places nothing, has asked for the end of every order of ours; the dead-man stays armed",
        "see the reason under “When it halts”, then `./martlet rearm --yes`"
      )
    case .journal:
      (
        "the journal cannot be relied on any more: it could not be brought to disk, or no room for it was left",
        "places nothing and cancels what rests with the room that the journal still has, then ends; without any it sends nothing more and refreshes the dead-man no more, so the venue cancels",
        "make room or repair the disk, `./martlet panic CONFIG.toml` if orders may rest, then `./martlet run` again"
      )
    case .journalRoom:
      (
        "the journal's next file cannot be made: the disk is full, read-only, or refuses",
        "places nothing, has asked for the end of every order of ours, follows fills and keeps the dead-man armed; ends in order before the file being written is full",
        "make room or repair the disk; it trades again by itself within seconds"
      )
    case .journalHead:
      (
        "the journal's head cannot be kept apart from it",
        "goes on; the head that was kept before still holds, so a cut behind it could not be told",
        "make room or repair the disk that has the user's state folder"
      )
    case .journalPacking:
      (
        "a full file of the journal cannot be packed, or an old one of market frames not removed",
        "goes on trading; the file stays whole, is tried again every 10 s and takes more room meanwhile",
        "make room or repair the disk"
      )
    case .journalDamaged:
      (
        "a record before the state that this run began with is not what was written: a disk that changes bytes, or somebody's hand",
        "goes on trading, since what it trades on was proven; leaves the file as it is; tells the first such place, once a run",
        "`./martlet journal verify`; put the file named back from a copy, keep the damaged one, and look at the disk"
      )
    case .journalCut:
      (
        "this start found records behind the last one that proves itself, not known to have been on disk when the machine went down, and cut them off",
        "goes on with what proves itself, and asks the venue what became of orders; keeps what was cut off beside the journal, in the file named",
        "see whether a halt, a pause or a setting given shortly before the machine went down still holds, and give it again if not; keep the file"
      )
    case .keyRefused:
      (
        "the venue refuses the key, its signature, or a right it needs",
        "halted; asks nothing private any more; the dead-man's timers run out and cancel what rests",
        "check the key's rights and addresses at the venue, then start again"
      )
    case .deadManLost:
      (
        "the venue's timer that cancels our orders could not be kept armed",
        "places nothing and has asked for the end of every order of ours; goes on arming",
        "nothing if it clears; else look at the network and the venue's status"
      )
    case .deadManRefresh:
      (
        "refreshing the dead-man failed more than once",
        "tries again at most 5 s later; orders are canceled before the timer can run out unseen",
        "nothing if it clears"
      )
    case .deadManMissing:
      (
        "the venue counts no dead-man timer although one was set",
        "has set it again",
        "see whether somebody else uses the key"
      )
    case .deadManAbandoned:
      (
        "the dead-man is not refreshed on purpose: the bot makes no progress, or its key was refused",
        "lets the venue's timers run out, which cancel what rests",
        "if it does not clear, stop the process and start it again"
      )
    case .bookSilent:
      (
        "no data of a market's book for longer than `book_silent`, whatever the connection says",
        "treats the book as not to be traded on and subscribes anew",
        "nothing if it clears; else look at the venue's status"
      )
    case .tradesSilent:
      (
        "no trade and no last price of a market for longer than `trades_silent`",
        "goes on trading on the book",
        "on a lively market look at the venue's status; on a quiet one raise `trades_silent`"
      )
    case .privateSilent:
      (
        "the private stream did not tell of an order within `private_silent` of the venue's own reply",
        "goes on by replies and by the lists it reads once a minute",
        "if it stays, stop and start the bot; tell the venue"
      )
    case .streamLost:
      (
        "the private side is not connected or not reconciled",
        "holds placements and connects again, waiting longer each time; the dead-man stays armed",
        "nothing if it clears"
      )
    case .bookUntrusted:
      (
        "updates of a book are missing, or make no sense",
        "trades nothing on that book and has asked for it anew",
        "nothing if it clears"
      )
    case .orderInDoubt:
      (
        "it is not known for longer than `doubt` what became of an order",
        "asks the venue and sends nothing again; the order's money stays set aside",
        "nothing if it clears; else look for the order on the venue's page"
      )
    case .orderStuck:
      (
        "an order stays open after every cancel, or fills it told of do not come",
        "goes on asking for it; counts it as resting",
        "cancel it on the venue's page"
      )
    case .orderRefused:
      (
        "the venue refused an order",
        "counts it as never placed; the strategy decides what follows",
        "look at the reason if it repeats: balance, minimums, a closed market"
      )
    case .riskRefused:
      (
        "our own Risk did not let an order through: a balance, a limit, the market's rules",
        "has sent nothing; the strategy asks again, ever more seldom",
        "look at the rule named: transfer funds, or change the limit or the strategy"
      )
    case .tradeBalanceShort:
      (
        "of one of the two assets that a strategy trades, the trade balance has too little for its smallest order",
        "starts all the same, with the orders that it can pay for",
        "move some from the main balance, or nothing if that is meant"
      )
    case .orderNeverArrived:
      (
        "the venue denied for long enough that an order ever came",
        "counts it as never placed; the strategy may place another",
        "nothing"
      )
    case .venueContradiction:
      (
        "the venue said of an order what cannot be true: filled beyond its size, or alive after its end",
        "has booked every fill, since a fill is money moved",
        "compare with `./martlet reconcile`, and halt if it differs"
      )
    case .ledgerDiffers:
      (
        "our ledger and the venue's balance are not the same while nothing is on its way",
        "keeps its own figures and goes on comparing",
        "a deposit or withdrawal explains it; else `./martlet halt` and `./martlet reconcile`"
      )
    case .ledgerAdjusted:
      (
        "a run that goes on where an earlier one ended found another balance than its fills explain",
        "took the venue's balance over, counted as a transfer, neither gain nor loss",
        "a deposit, a withdrawal or a trade by hand explains it; else `./martlet reconcile` and the venue's page"
      )
    case .ledgerUnchecked:
      (
        "the run ended without the comparison of its ledger with the venue's",
        "keeps the reason in the journal; the dead-man's timers are left to cancel what may rest",
        "`./martlet reconcile CONFIG.toml`, and `./martlet panic CONFIG.toml` if orders may rest"
      )
    case .fillUnproven:
      (
        "a fill lacks its order or its trade in the venue's own rows, or was found only there",
        "has booked it",
        "compare with the venue's page and keep the journal"
      )
    case .fillsProven:
      (
        "every fill since the last proof has its order and its trade at the venue",
        "keeps the proof in the journal",
        "nothing"
      )
    case .quota:
      (
        "the venue's quota refused requests of one group",
        "lets that group alone wait; cancels and the dead-man go first",
        "if it repeats, let fewer programs use the key or ask for less"
      )
    case .quotaBreaker:
      (
        "so many refusals by quota that a ban comes near",
        "sends nothing of that group for the time told, then tries with one request",
        "nothing if it clears; else stop other programs on the key or address"
      )
    case .retriesExhausted:
      (
        "something was tried as often as it may be and never went well; all orders that cannot be asked about are one alert",
        "goes on at the longest wait; places nothing that depends on it",
        "read what failed; look at the network and the venue's status"
      )
    case .clockSkew:
      (
        "this machine's clock and the venue's are further apart than half of `clock_tolerance`",
        "places nothing until they agree; cancels go out, by times that no calendar sets",
        "repair the time service of this machine"
      )
    case .calendarSet:
      (
        "this machine's clock was set by half a second or more while the bot ran, or the machine slept",
        "counts its own time on and reads the venue's clock; too far from it, `clock-skew` follows",
        "see what sets the clock; let one time service bring it up slowly"
      )
    case .nonceRefused:
      (
        "the venue refused a nonce",
        "has read the venue's clock again",
        "see whether another program uses this key; give each its own"
      )
    case .messageUnreadable:
      (
        "the venue sent what this build cannot read",
        "keeps the bytes in the journal and asks the venue's lists instead",
        "if it repeats, the venue has changed: update Martlet"
      )
    case .foreignOrder:
      (
        "an order that is not ours rests on the account",
        "leaves it alone; its money is not counted as free",
        "nothing if it is yours"
      )
    case .cleanSlate:
      (
        "`clean_slate` is on: at its start the bot cancels everything that rests in its markets, whoever placed it",
        "has named each order that is not its own before it was canceled, here and in the journal; does so once a run",
        "take `clean_slate` out of the file unless nobody else trades these markets on the account"
      )
    case .venueError:
      (
        "the venue answered with an error of its own",
        "takes nothing for granted: what was sent is in doubt until the venue tells",
        "nothing unless it repeats"
      )
    case .requestFailed:
      (
        "a request or a connection to the venue failed",
        "tries again where that is safe; what may have acted is in doubt until the venue tells",
        "nothing unless it repeats; then look at the network"
      )
    case .tlsRefused:
      (
        "whoever answers at the venue's address does not prove to be the venue: the certificate has expired, is another host's, of no trusted authority or not of a pinned key, or TLS is older than 1.3",
        "has sent nothing there, neither a key nor an order; tries again, waiting longer each time; the venue's timers cancel what rests if the dead-man cannot be refreshed",
        "look for what stands between, a proxy or a captive network, with `./martlet doctor`; ask the venue whether it has a new key before you change `ca` or `pins`"
      )
    case .marketClosed:
      (
        "the venue no longer takes orders in a market",
        "places nothing there; what rests is left to the venue's own rule",
        "nothing if it clears; else choose another market"
      )
    case .strategyIdle:
      (
        "a strategy's settings do not fit its market now, so it trades nothing",
        "leaves what rests as it is",
        "change the settings named and start again"
      )
    case .flattenIncomplete:
      (
        "flatten ended with inventory left",
        "has canceled our orders, placed what Risk allowed and paused",
        "`./martlet flatten --yes` again, or trade the rest by hand"
      )
    case .stopInert:
      (
        "for longer than `stop_inert` nobody has looked at the price with a stop: no trusted book, or the private side is gone",
        "places nothing new in that market; counts the time; looks with the first whole book, before anything is placed, and fires if the price is past the stop",
        "nothing if it clears; else look at the price yourself, `./martlet flatten --yes` or trade by hand"
      )
    case .stopRearmed:
      (
        "nobody had looked at the price with a stop for the time told; it is armed again",
        "has looked with it before anything new was placed; the times add up in `./martlet status`",
        "nothing; if it repeats, look at the network"
      )
    case .stopUnfilled:
      (
        "a stop fired, and after a minute not all is traded back that it protects",
        "goes on as long as it takes, ever more seldom; stays halted",
        "read the alerts of orders refused; look at the market's book, or trade the rest by hand"
      )
    case .operatorAction:
      (
        "somebody told the bot what to do",
        "has done it and kept in the journal who asked",
        "nothing"
      )
    case .alertSink:
      (
        "one way of telling alerts does not work or cannot keep up",
        "tells them by the other ways",
        "repair it: disk space, permissions, a reader of standard error"
      )
    case .test:
      ("`./martlet alert test` asked for it", "nothing", "nothing")
    }
  }
}
