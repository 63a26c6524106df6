public import MartletModel

extension HaltReason {
  /// Every reason there is.
  public static var all: [HaltReason] {
    [
      .unauthorized, .questionRefused, .deadManLost, .contradiction, .ledgerMismatch,
      .journalFailed,
      .operatorRequest, .lossLimit, .capacity, .stopTriggered, .liquidated,
    ]
  }

  /// What Martlet has done by the time it is told, and what is left to a person.
  public var text: (done: String, todo: String) {
    switch self {
    case .unauthorized:
      (
        "asks nothing private any more, cancels included; the kill-switch is refreshed no more and takes off what rests",
        "put the key right and start the bot again; `rearm` is refused until then"
      )
    case .questionRefused:
      (
        "has asked for the end of every order of ours; the kill-switch stays armed",
        "see the venue's words in the journal and its page; start again, or `./martlet rearm --yes`"
      )
    case .deadManLost:
      (
        "has asked for the end of every order of ours; goes on arming",
        "look at the network and the venue's status, then `./martlet rearm --yes`"
      )
    case .contradiction:
      (
        "has asked for the end of every order of ours; the kill-switch stays armed",
        "`./martlet reconcile`; a market whose price or amount grid changed needs `run --fresh`"
      )
    case .ledgerMismatch:
      (
        "has asked for the end of every order of ours; the kill-switch stays armed",
        "`./martlet reconcile` shows where; explain it, then `./martlet rearm --yes`"
      )
    case .journalFailed:
      (
        "has asked for the end of every order of ours, with the room that its journal still has, and ends when the venue has confirmed it",
        "repair the disk, `./martlet journal verify`, then start the bot again"
      )
    case .operatorRequest:
      (
        "has asked for the end of every order of ours; the kill-switch stays armed",
        "`./martlet rearm --yes` when it may trade again"
      )
    case .lossLimit:
      (
        "has asked for the end of every order of ours; the kill-switch stays armed",
        "see what was lost and how, then `./martlet rearm --yes`, or leave it"
      )
    case .stopTriggered:
      (
        "has asked for the end of every order of ours; then sells what its fills bought, or buys back what they sold, in orders that end at once, until nothing is left that the venue would take",
        "see what it cost; `./martlet rearm --yes` begins anew around the price of the moment, and halts again at once while that is past the stop: change it first, with `./martlet reload`"
      )
    case .liquidated:
      (
        "has booked what the venue traded and asked for the end of every order of ours; the kill-switch stays armed",
        "see why it was not covered; less leverage or more margin, then `./martlet rearm --yes`"
      )
    case .capacity:
      (
        "has asked for the end of every order of ours rather than forget one; the kill-switch stays armed",
        "fewer levels or markets; `./martlet rearm --yes` when it has room"
      )
    }
  }
}
