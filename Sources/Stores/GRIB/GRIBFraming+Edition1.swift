extension GRIBFraming {
  /// - Returns: where the message ends.
  mutating func readEdition1(
    _ start: Int, _ body: (GRIBFrame) throws -> Void, _ count: inout Int
  ) throws -> Int {
    var length = try number(start + 4, 3, start)
    let product = try section1(start + 8, start, least: 28)
    let flags = try byte(product.lowerBound + 7)
    var end = product.upperBound
    var grid = end..<end
    if flags & 0x80 != 0 {
      grid = try section1(end, start, least: 32)
      end = grid.upperBound
    }
    let header = start..<end
    if flags & 0x40 != 0 { end = try section1(end, start, least: 6).upperBound }
    let data = try number(end, 3, start)
    // ECMWF's way to have messages beyond 8 MiB: lengths in units of 120 bytes, the remainder in the data section.
    if length >= 0x80_0000 && data < 120 {
      length = (length & 0x7F_FFFF) * 120 - data + 4
    } else if data < 11 || end + data > start + length - 4 {
      throw damaged(start, "sections that don't fit into its \(length) bytes")
    }
    guard end + 11 <= start + length - 4 else { throw damaged(start, "a data section beyond its end") }
    try requireEnd(start, length)
    try countField(&count)
    try body(
      GRIBFrame(
        edition: 1, offset: start, part: 0, pieces: [start..<start + length], header: [header], packingSize: 0,
        grid: grid,
        points: 0))
    return start + length
  }

  private mutating func section1(_ start: Int, _ message: Int, least: Int) throws -> Range<Int> {
    let length = try number(start, 3, message)
    guard length >= least, start + length <= file.size else {
      throw damaged(message, "a section of \(length) bytes")
    }
    return start..<start + length
  }
}
