/// Checks of packed numbers: only what libraries trust without a look, or crash at (ecCodes and what it unpacks with).
extension GRIBFraming {
  /// Section 7 must hold as many numbers as section 5 says, as far as that can be seen without unpacking.
  ///
  /// - Parameters:
  ///   - packing, data: sections 5 and 7.
  ///   - packed: how many numbers.
  ///   - start: of the message.
  mutating func requireNumbers(_ packing: Range<Int>, _ data: Range<Int>, _ packed: Int, _ start: Int) throws {
    switch try number(packing.lowerBound + 9, 2, start) {
    case 0: try requireBits(packing, data, packed, start)
    case 2, 3: try requireGroups(packing, data, packed, start)
    case 40, 40_000: try requireImage(packing, data, packed, start)
    default: return
    }
  }

  /// Plain packing: as many bits as there are numbers.
  private mutating func requireBits(_ packing: Range<Int>, _ data: Range<Int>, _ packed: Int, _ start: Int) throws {
    if packing.count < 21 { return }
    let bits = Int(try byte(packing.lowerBound + 19))
    guard bits <= 64, data.count - 5 >= (packed * bits + 7) / 8 else {
      throw damaged(start, "\(data.count - 5) bytes for \(packed) numbers of \(bits) bits")
    }
  }

  /// Complex packing: there must be bits for what each group says of itself. ecCodes reads on beyond the
  /// end of the message.
  private mutating func requireGroups(_ packing: Range<Int>, _ data: Range<Int>, _ packed: Int, _ start: Int) throws {
    guard packing.count >= 47 else { throw damaged(start, "a section 5 of \(packing.count) bytes") }
    let groups = try number(packing.lowerBound + 31, 4, start)
    // The bits of the references, the widths and the lengths.
    let bits = try [19, 36, 46].reduce(0) { $0 + Int(try byte(packing.lowerBound + $1)) }
    // A field without a single number has a few groups all the same.
    guard groups <= max(16, packed), groups * bits <= 8 * (data.count - 5) else {
      throw damaged(start, "\(groups) groups of \(packed) numbers in \(data.count - 5) bytes")
    }
  }

  /// JPEG 2000: the image must have as many points as there are numbers, in one component. OpenJPEG crashes on
  /// some images of other sizes than ecCodes expects.
  private mutating func requireImage(_ packing: Range<Int>, _ data: Range<Int>, _ packed: Int, _ start: Int) throws {
    if data.count <= 5 { return }
    let image = data.lowerBound + 5
    guard data.count >= 5 + 42, try number(image, 4, start) == 0xFF4F_FF51 else {
      throw damaged(start, "no JPEG 2000 image")
    }
    let (width, height) = (try number(image + 8, 4, start), try number(image + 12, 4, start))
    let offsets = try [16, 20, 32, 36].map { try number(image + $0, 4, start) }
    let components = try number(image + 40, 2, start)
    guard width <= GRIBFraming.pointLimit, height <= GRIBFraming.pointLimit, width * height == packed,
      offsets.allSatisfy({ $0 == 0 }), components == 1
    else { throw damaged(start, "an image of \(width) × \(height) for \(packed) numbers") }
  }
}
