"""ccxt, a client in daily use against the real venue, trades on the local exchange."""
import time
from decimal import Decimal

import ccxt

from local_exchange import Checks, Exchange, KEY, POOR_KEY, POOR_SECRET, SECRET, until


def client(exchange, key=KEY, secret=SECRET):
    made = ccxt.whitebit({"apiKey": key, "secret": secret,
                          "options": {"fetchMarkets": {"types": ["spot"]}}})

    def local(urls):
        if isinstance(urls, dict):
            return {name: local(value) for name, value in urls.items()}
        return "http://" + exchange.rest.split("://", 1)[1] + "/" + urls.split("://", 1)[1].split("/", 1)[1] if "/" in urls.split("://", 1)[1] else exchange.rest
    made.urls["api"] = local(made.urls["api"])
    made.has["fetchCurrencies"] = False
    return made


def refused(kind, act):
    try:
        act()
    except kind as error:
        return str(error) or kind.__name__
    except Exception as error:
        return None if not isinstance(error, kind) else str(error)
    return None


def main():
    checks = Checks()
    with Exchange() as exchange:
        venue = client(exchange)
        markets = venue.load_markets()
        checks.check("M13 the market loads with its steps and minimums",
                     "DBTC/DUSDT" in markets and markets["DBTC/DUSDT"]["limits"]["amount"]["min"] > 0, list(markets))
        symbol = "DBTC/DUSDT"
        market = venue.market(symbol)
        book = venue.fetch_order_book(symbol, 20)
        checks.check("M12 the book has two sides in order and keeps to the limit",
                     0 < len(book["bids"]) <= 20 and 0 < len(book["asks"]) <= 20 and book["bids"][0][0] < book["asks"][0][0], book)
        checks.check("M11 the ticker has an exact last price", Decimal(venue.fetch_tickers([symbol])[symbol]["info"]["last_price"]) > 0)
        price = float(venue.price_to_precision(symbol, book["bids"][0][0] * 0.8))
        name = f"ccxt{int(time.time() * 1000)}"
        before = venue.fetch_balance()["DUSDT"]
        order = venue.create_order(symbol, "limit", "buy", 0.001, price, {"clientOrderId": name})
        checks.check("M41 a limit order is placed and keeps its client id", order["clientOrderId"] == name and order["id"], order)
        after = venue.fetch_balance()["DUSDT"]
        frozen = Decimal(str(after["used"])) - Decimal(str(before["used"]))
        checks.check("the money for it is frozen, exactly", frozen == Decimal(str(price)) * Decimal("0.001"), frozen)
        rows = venue.fetch_open_orders(symbol)
        checks.check("M49 it is among the open orders", [row["id"] for row in rows] == [order["id"]], rows)
        checks.check("the same client id while it is open is refused",
                     refused(ccxt.ExchangeError, lambda: venue.create_order(symbol, "limit", "buy", 0.001, price, {"clientOrderId": name})))
        canceled = venue.cancel_order(order["id"], symbol)
        checks.check("M56 it is canceled", canceled["id"] == order["id"] and not venue.fetch_open_orders(symbol), canceled)
        checks.check("canceling it again is OrderNotFound", refused(ccxt.OrderNotFound, lambda: venue.cancel_order(order["id"], symbol)))
        checks.check("a crossing limit order fills, with its fee in the asset that it takes", filled(venue, symbol, book), "no fill")
        checks.check("C18 a wrong secret is an AuthenticationError",
                     refused(ccxt.AuthenticationError, lambda: client(exchange, KEY, "wrong").fetch_balance()))
        checks.check("C18 more than the account holds is InsufficientFunds",
                     refused(ccxt.InsufficientFunds, lambda: poor_order(exchange, symbol, price)))
        checks.check("M51 less than the minimum is InvalidOrder",
                     refused(ccxt.InvalidOrder, lambda: venue.create_order(symbol, "limit", "buy", market["limits"]["amount"]["min"] / 2, price)))
        checks.check("M66 the kill-switch is armed and read back", armed(venue, market["id"]))
    checks.end()


def filled(venue, symbol, book):
    price = float(venue.price_to_precision(symbol, book["asks"][0][0] * 1.01))
    order = venue.create_order(symbol, "limit", "buy", 0.001, price)
    rows = until(lambda: [row for row in venue.fetch_my_trades(symbol) if row["order"] == order["id"]], 5)
    return rows and sum(Decimal(str(row["amount"])) for row in rows) == Decimal("0.001") and rows[0]["fee"]["currency"] == "DBTC"


def poor_order(exchange, symbol, price):
    poor = client(exchange, POOR_KEY, POOR_SECRET)
    poor.load_markets()
    poor.create_order(symbol, "limit", "buy", 0.001, price)


def armed(venue, market):
    venue.cancel_all_orders_after(60000, {"symbol": "DBTC/DUSDT"})
    rows = venue.v4PrivatePostOrderKillSwitchStatus({"market": market})
    return [row["market"] for row in rows] == [market]


if __name__ == "__main__":
    main()
