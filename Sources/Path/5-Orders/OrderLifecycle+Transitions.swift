internal import MartletBase
internal import MartletModel

// Each meeting of an event and a state, spelled out. No `default`: a new state will not compile
// before each meeting is thought through.
extension OrderLifecycle {
  mutating func report(
    _ status: OrderReport.Status, _ total: Quantity, _ isAnswer: Bool,
    _ consequence: inout Consequence
  ) {
    told = max(told, total)
    switch status {
    case .open: reportOpen(isAnswer, &consequence)
    case .filled:
      // A whole fill that is not the whole order is some other order's news.
      if total < quantity && !isAmendPending { consequence.alarms.insert(.contradiction) }
      reportEnd(total, isReplacement: false, &consequence)
    case .canceled: reportEnd(total, isReplacement: isAmendPending, &consequence)
    case .unknown: consequence.asksVenue = !state.isTerminal
    }
  }

  private mutating func reportOpen(_ isAnswer: Bool, _ consequence: inout Consequence) {
    switch state {
    case .pendingNew:
      isAcknowledged = true
      state = .open
    case .inDoubt:
      isAcknowledged = true
      // Ended with fills still missing is the other doubt, and this news is older than the end.
      if !hasEnded { state = .open }
    case .open: break
    case .pendingAmend:
      // An answer that shows the old values, after an amendment whose reply was lost: it never
      // reached the book. Without the question the report may be older than the amendment.
      if isAnswer && isAmendUnproven { endAmend() }
    case .pendingCancel:
      isAcknowledged = true
      if isAnswer && isCancelUnproven && !hasEnded { cancelAgain(&consequence) }
    case .filled, .canceled:
      break  // Older news, overtaken on another channel.
    case .rejected:
      // It rests although we were told it does not: it must not be forgotten.
      consequence.alarms.insert(.contradiction)
      isAcknowledged = true
      state = .open
    }
  }

  private mutating func reportEnd(
    _ total: Quantity, isReplacement: Bool, _ consequence: inout Consequence
  ) {
    if total < cumulative { consequence.alarms.insert(.contradiction) }
    switch state {
    case .pendingNew, .inDoubt, .open, .pendingAmend, .pendingCancel:
      isAcknowledged = true
      if isReplacement {
        // Some venues amend by ending the old order and opening another. Which it was, the reply
        // to the amendment or an answer tells.
        isOldOrderGone = true
        consequence.asksVenue = isAmendUnproven
      } else {
        end(at: total)
      }
    case .rejected:
      consequence.alarms.insert(.contradiction)
      isAcknowledged = true
      end(at: total)
      // Left where it is, an order with fills still to come would stay rejected for good.
      state = .inDoubt
    case .filled, .canceled:
      // A repetition; if it knows of more fills than the end did, they must still be found.
      consequence.asksVenue = isMissingFills
    }
  }

  mutating func fill(_ last: Quantity, at price: Price, _ consequence: inout Consequence) {
    // Money moved, whatever we believed. It proves that the venue had the order.
    cumulative = cumulative + last
    notional += Int128(price.quanta) * Int128(last.quanta)
    isAcknowledged = true
    if hasEnded && cumulative > endCumulative { consequence.alarms.insert(.contradiction) }
    if cumulative > max(quantity, isAmendPending ? amendedQuantity : quantity) {
      consequence.alarms.insert(.overfill)
    }
    switch state {
    case .pendingNew: state = .open
    case .inDoubt: if !hasEnded { state = .open }
    case .open, .pendingAmend, .pendingCancel: break  // It may cross our cancel on the wire.
    case .filled, .canceled: break  // Late, and booked all the same.
    case .rejected:
      consequence.alarms.insert(.contradiction)
      state = .open
    }
  }

  mutating func refuse(_ consequence: inout Consequence) {
    switch state {
    case .pendingNew, .inDoubt, .pendingCancel, .open, .pendingAmend:
      if isAcknowledged {
        consequence.alarms.insert(.contradiction)
      } else {
        state = .rejected
      }
    case .rejected: break
    case .filled, .canceled: consequence.alarms.insert(.contradiction)
    }
  }

  mutating func denyEverywhere(_ consequence: inout Consequence) {
    switch state {
    case .pendingNew, .inDoubt, .open, .pendingAmend, .pendingCancel:
      if isAcknowledged {
        // The venue had it and keeps no record of orders that end without a fill: it was canceled.
        // If totals told of fills that we do not have, it stays in doubt until they are found.
        end(at: told)
        consequence.asksVenue = isMissingFills
      } else {
        state = .rejected
      }
    case .filled, .canceled, .rejected: break
    }
  }

  mutating func loseReply(_ consequence: inout Consequence) {
    switch state {
    case .pendingNew:
      // A lost reply proves nothing: the order may be resting. Ask the venue; never resend.
      state = .inDoubt
      consequence.asksVenue = true
    case .pendingCancel: consequence.asksVenue = !isAcknowledged
    case .open, .pendingAmend, .inDoubt, .filled, .canceled, .rejected:
      break  // Better news came on another channel.
    }
  }

  mutating func requestCancel(_ consequence: inout Consequence) {
    switch state {
    case .pendingNew, .open, .pendingAmend, .inDoubt:
      if hasEnded { return }
      // In doubt a cancel by our own id is still safe: it ends the order if it is there. If it is
      // answered with “not open”, the question decides.
      isCancelUnproven = state == .inDoubt
      state = .pendingCancel
      cancelAttempts = 1
      consequence.sendsCancel = true
    case .pendingCancel, .filled, .canceled, .rejected: break
    }
  }

  mutating func refuseCancel(_ consequence: inout Consequence) {
    switch state {
    case .pendingNew, .open, .pendingAmend, .pendingCancel, .inDoubt:
      // “Not open” may be filled, canceled, or not there yet. Only the venue knows.
      isCancelUnproven = true
      consequence.asksVenue = !hasEnded || isMissingFills
    case .filled, .canceled, .rejected: break
    }
  }

  mutating func loseCancelReply(_ consequence: inout Consequence) {
    switch state {
    case .pendingCancel:
      isCancelUnproven = true
      consequence.asksVenue = !hasEnded || isMissingFills
    case .pendingNew, .open, .pendingAmend, .inDoubt, .filled, .canceled, .rejected: break
    }
  }

  mutating func requestAmend(_ price: Price, _ quantity: Quantity) {
    switch state {
    case .open:
      if hasEnded || isAmendPending { return }
      isAmendPending = true
      isAmendUnproven = false
      isOldOrderGone = false
      amendedPrice = price
      amendedQuantity = quantity
      state = .pendingAmend
    case .pendingNew, .pendingAmend, .pendingCancel, .inDoubt, .filled, .canceled, .rejected:
      break  // One amendment at a time, of an order that surely rests.
    }
  }

  mutating func amend(_ price: Price, _ quantity: Quantity, _ consequence: inout Consequence) {
    if isAmendPending && price == amendedPrice && quantity == amendedQuantity {
      isAcknowledged = true
      self.price = price
      self.quantity = quantity
      endAmend()
      return
    }
    if price == self.price && quantity == self.quantity { return }  // Told before.
    switch state {
    case .pendingNew, .open, .pendingAmend, .pendingCancel, .inDoubt:
      // Values nobody asked for: someone else moved our order, or it is news of an earlier
      // amendment. Which one, the venue must say.
      consequence.alarms.insert(.contradiction)
      consequence.asksVenue = true
    case .filled, .canceled, .rejected: break
    }
  }

  mutating func take(_ price: Price, _ quantity: Quantity, _ consequence: inout Consequence) {
    switch state {
    case .pendingNew, .open, .pendingCancel, .inDoubt:
      // Someone else moved our order, or an amendment took that we had given up. What rests is what
      // the venue says rests.
      consequence.alarms.insert(.contradiction)
      self.price = price
      self.quantity = quantity
      if !isAmendPending {
        amendedPrice = price
        amendedQuantity = quantity
      }
    case .pendingAmend: consequence.asksVenue = true
    case .filled, .canceled, .rejected: break
    }
  }

  mutating func refuseAmend(_ consequence: inout Consequence) {
    guard isAmendPending else { return }
    // A venue that amends by replacing may have taken the old order off before it refused.
    let isGone = isOldOrderGone
    endAmend()
    if isGone { end(at: told) }
    consequence.asksVenue = !state.isTerminal
  }

  mutating func loseAmendReply(_ consequence: inout Consequence) {
    guard isAmendPending else { return }
    isAmendUnproven = true
    consequence.asksVenue = true
  }

  // MARK: Steps

  private mutating func endAmend() {
    isAmendPending = false
    isAmendUnproven = false
    isOldOrderGone = false
    amendedPrice = price
    amendedQuantity = quantity
    if state == .pendingAmend { state = .open }
  }

  private mutating func end(at total: Quantity) {
    hasEnded = true
    isAmendPending = false
    endCumulative = max(endCumulative, total)
  }

  private mutating func cancelAgain(_ consequence: inout Consequence) {
    isCancelUnproven = false
    if cancelAttempts < OrderLifecycle.cancelAttemptsAllowed {
      cancelAttempts += 1
      consequence.sendsCancel = true
    } else {
      // It rests and will not go. The state says so again, and someone must look.
      consequence.alarms.insert(.cancelNotTaken)
      state = .open
    }
  }

  /// Moves to the terminal state that the evidence proves, if it proves one.
  mutating func settle(_ consequence: inout Consequence) {
    switch state {
    case .pendingNew, .open, .pendingAmend, .pendingCancel, .inDoubt, .canceled:
      let whole = isAmendPending ? max(quantity, amendedQuantity) : quantity
      if cumulative >= whole {
        state = .filled
        isAmendPending = false
      } else if hasEnded && !isMissingFills {
        state = .canceled
      }
    case .filled, .rejected: break
    }
  }

  /// The grace for missing fills is over: what is known to have ended is in doubt until they come.
  mutating func missFills() -> Consequence {
    var consequence = Consequence()
    guard isMissingFills else { return consequence }
    switch state {
    case .pendingNew, .open, .pendingAmend, .pendingCancel:
      if hasEnded {
        state = .inDoubt
        consequence.isChanged = true
      }
    case .inDoubt, .filled, .canceled, .rejected: break
    }
    consequence.asksVenue = true
    return consequence
  }
}
