extension GRIBFraming {
  /// - Returns: where the message ends.
  mutating func readEdition2(
    _ start: Int, _ body: (GRIBFrame) throws -> Void, _ count: inout Int
  ) throws -> Int {
    let length = try number(start + 8, 8, start)
    guard length >= 16 + 4 else { throw damaged(start, "a length of \(length) bytes") }
    try requireEnd(start, length)
    let end = start + length - 4
    /// The latest section of each number.
    var sections = [Range<Int>?](repeating: nil, count: 8)
    /// The latest section 6 that holds a bitmap, for later ones that refer to it.
    var bitmap: Range<Int>?
    sections[0] = start..<start + 16
    var place = start + 16
    var last = 0
    var part = 0
    while place < end {
      let size = try number(place, 4, start)
      let which = Int(try byte(place + 4))
      guard size >= 5, place + size <= end, (1...7).contains(which) else {
        throw damaged(start, "a section \(which) of \(size) bytes")
      }
      // Ascending; after a field, section 2, 3 or 4 may follow.
      guard which > last || (last == 7 && (2...4).contains(which)) else {
        throw damaged(start, "section \(which) after section \(last)")
      }
      guard size >= GRIBFraming.leastSize[which] else {
        throw damaged(start, "a section \(which) of \(size) bytes")
      }
      sections[which] = place..<place + size
      if which == 6 {
        switch try byte(place + 5) {
        case 0: bitmap = place..<place + size
        case 254: sections[6] = bitmap
        default: break
        }
      }
      place += size
      last = which
      if which == 7 {
        // A field alone in its message is that message.
        let isAlone = part == 0 && place == end
        try countField(&count)
        try body(try frame(start, part, sections, whole: isAlone ? start..<start + length : nil))
        part += 1
      }
    }
    guard last == 7 else { throw damaged(start, "no field after section \(last)") }
    return start + length
  }

  /// Bytes that a section has at least, by its number.
  private static let leastSize = [16, 21, 5, 15, 9, 11, 6, 5]

  private mutating func frame(
    _ start: Int, _ part: Int, _ sections: [Range<Int>?], whole: Range<Int>?
  ) throws -> GRIBFrame {
    guard let grid = sections[3], let packing = sections[5], let bitmap = sections[6], let data = sections[7],
      sections[1] != nil, sections[4] != nil
    else { throw damaged(start, "a field without all of its sections") }
    let points = try number(grid.lowerBound + 6, 4, start)
    let packed = try number(packing.lowerBound + 5, 4, start)
    guard points <= GRIBFraming.pointLimit else { throw damaged(start, "\(points) points in a field") }
    guard packed <= points else { throw damaged(start, "\(packed) numbers for \(points) points") }
    if try byte(bitmap.lowerBound + 5) == 0, bitmap.count - 6 < (points + 7) / 8 {
      throw damaged(start, "a bitmap of \(bitmap.count - 6) bytes for \(points) points")
    }
    try requireNumbers(packing, data, packed, start)
    let present = sections.compactMap { $0 }
    return GRIBFrame(
      edition: 2, offset: start, part: part, pieces: whole.map { [$0] } ?? GRIBFraming.joined(present),
      header: GRIBFraming.joined(sections[0...5].compactMap { $0 }), packingSize: packing.count, grid: grid,
      points: points)
  }

  private static func joined(_ ranges: [Range<Int>]) -> [Range<Int>] {
    ranges.reduce(into: []) { result, range in
      if let last = result.last, last.upperBound == range.lowerBound {
        result[result.count - 1] = last.lowerBound..<range.upperBound
      } else {
        result.append(range)
      }
    }
  }
}
