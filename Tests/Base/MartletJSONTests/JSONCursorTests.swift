import MartletBase
import MartletJSON
import Testing

@Suite struct JSONCursorTests {
  @Test func aDepthFrameIsReadWhereItLies() throws {
    let frame = Array(
      """
      {"method":"depth_update","params":[false,{"timestamp":1790113269.4255619,"update_id":21244231356,\
      "past_update_id":21244231142,"bids":[["2747.18","0.36"],["2747.16",0]]},"ETH_PERP"],"id":null}
      """.utf8)
    let text = frame.span
    var cursor = JSONCursor()
    try cursor.beginObject(in: text)
    var levels: [String] = []
    var update: UInt64 = 0
    var symbol = InlineText()
    while let key = try cursor.nextKey(in: text) {
      if key.equals("params", in: text) {
        try cursor.beginArray(in: text)
        var more = try cursor.nextElement(in: text)
        let isSnapshot = try cursor.bool(in: text)
        #expect(more && !isSnapshot)
        more = try cursor.nextElement(in: text)
        #expect(more)
        try cursor.beginObject(in: text)
        while let field = try cursor.nextKey(in: text) {
          if field.equals("update_id", in: text) {
            update = try cursor.unsigned(in: text)
          } else if field.equals("bids", in: text) {
            try cursor.beginArray(in: text)
            while try cursor.nextElement(in: text) {
              try cursor.beginArray(in: text)
              while try cursor.nextElement(in: text) {
                levels.append(try cursor.decimalText(in: text).decoded(in: text))
              }
            }
          } else {
            try cursor.skipValue(in: text)
          }
        }
        more = try cursor.nextElement(in: text)
        #expect(more)
        symbol = try cursor.string(in: text).inlineText(in: text)
        more = try cursor.nextElement(in: text)
        #expect(!more)
      } else if key.equals("id", in: text) {
        let isNull = cursor.isNull(in: text)
        #expect(isNull)
      } else {
        let method = try cursor.string(in: text).decoded(in: text)
        #expect(method == "depth_update")
      }
    }
    try cursor.end(in: text)
    #expect(levels == ["2747.18", "0.36", "2747.16", "0"])
    #expect(update == 21_244_231_356 && symbol == "ETH_PERP")
  }
}
