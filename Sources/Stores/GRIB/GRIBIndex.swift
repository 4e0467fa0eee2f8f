import Basics

/// The contents of a file, found by reading the headers of its messages once.
///
/// Nothing of it is kept on disk: reading headers alone takes some ten microseconds a field, and an index that outlives a change of
/// its file gives wrong fields.
struct GRIBIndex: Sendable {
  let fields: [GRIBField]
  let products: [GRIBProduct]
  let grids: [GRIBGrid]
  /// Sentences on messages that were left out, one for each reason.
  let notes: [String]

  /// - Throws: naming the message that is damaged; also when there is none at all.
  init(_ file: GRIBFile) throws {
    var builder = Builder(file: file)
    var framing = GRIBFraming(file)
    try framing.forEachField { try builder.add($0) }
    if builder.fields.isEmpty {
      throw JigsawError(
        file.path, "holds no fields on a grid",
        expected: "GRIB messages of edition 1 or 2",
        found: builder.leftOut.isEmpty ? nil : builder.notes.joined(separator: "; "))
    }
    (fields, products, grids, notes) = (builder.fields, builder.products, builder.grids, builder.notes)
  }

  /// Fields of a kind that is not read.
  private struct LeftOut: Hashable {
    let name, reason: String
  }

  private struct Builder {
    let file: GRIBFile
    var fields: [GRIBField] = []
    var products: [GRIBProduct] = []
    var grids: [GRIBGrid] = []
    /// Messages that are left out, counted by name and reason.
    var leftOut: [LeftOut: Int] = [:]
    /// By header without its date, and with the seconds from there to the end of a period in place of that.
    private var known: [[UInt8]: Kind] = [:]
    private var knownProducts: [GRIBProduct: Int] = [:]
    private var knownGrids: [[UInt8]: Int] = [:]

    private enum Kind {
      case product(Int)
      case leftOut(LeftOut)
    }

    init(file: GRIBFile) { self.file = file }

    var notes: [String] {
      Dictionary(grouping: leftOut, by: \.key.reason).sorted { $0.key < $1.key }.map { reason, fields in
        let count = fields.reduce(0) { $0 + $1.value }
        let names = Set(fields.map(\.key.name)).sorted().joined(separator: ", ")
        return "\(counted(count, "field")) of \(names) left out: \(reason)"
      }
    }

    mutating func add(_ frame: GRIBFrame) throws {
      let place = "\(file.path): message at byte \(frame.offset)\(frame.part > 0 ? ", field \(frame.part + 1)" : "")"
      let header = try file.headerMessage(frame)
      guard let date = GRIBDate.read(header, edition: frame.edition) else {
        throw JigsawError(place, "has no date that can be", remedy: "the file is damaged; copy it again")
      }
      let gridKey = Array(header[gridBytes(frame)])
      let end = frame.edition == 2 ? GRIBPeriodEnd.read(header) : nil
      var key = header
      if let end {
        key.removeSubrange(end.bytes)
        withUnsafeBytes(of: end.seconds - date.seconds) { key += $0 }
      }
      key.removeSubrange(date.bytes)
      switch known[key] {
      case .leftOut(let kind): return leftOut[kind, default: 0] += 1
      case .product(let product):
        if let grid = knownGrids[gridKey] { return append(frame, product, grid, date.seconds) }
      case nil: break
      }
      var name = ""
      do {
        let (product, dependsOnDate) = try GRIBLibrary.withMessage(header, place) { message in
          name = GRIBProduct.name(message, edition: frame.edition)
          return (
            try GRIBProduct(message, base: date.seconds, place),
            GRIBProduct.dependsOnDate(message, knowsEnd: end != nil)
          )
        }
        let grid = try grid(gridKey, header, frame, place)
        let index = number(of: product)
        append(frame, index, grid, date.seconds)
        if !dependsOnDate { known[key] = .product(index) }
      } catch let error as GRIBUnreadable {
        let kind = LeftOut(name: name, reason: error.reason)
        known[key] = .leftOut(kind)
        leftOut[kind, default: 0] += 1
      }
    }

    /// The number of a field's grid.
    private mutating func grid(
      _ key: [UInt8], _ header: [UInt8], _ frame: GRIBFrame, _ place: String
    ) throws -> Int {
      if let number = knownGrids[key] { return number }
      grids.append(
        try GRIBLibrary.withMessage(GRIBFile.gridMessage(header, frame), place) {
          try GRIBGrid($0, edition: frame.edition, place)
        })
      knownGrids[key] = grids.count - 1
      return grids.count - 1
    }

    /// Where the header has what describes the grid; without a description, the number of a grid of the tables.
    private func gridBytes(_ frame: GRIBFrame) -> Range<Int> {
      if frame.grid.isEmpty { return 8 + 6..<8 + 7 }
      var start = 0
      for piece in frame.header {
        if piece.contains(frame.grid.lowerBound) {
          start += frame.grid.lowerBound - piece.lowerBound
          break
        }
        start += piece.count
      }
      return start..<start + frame.grid.count
    }

    private mutating func number(of product: GRIBProduct) -> Int {
      if let index = knownProducts[product] { return index }
      products.append(product)
      knownProducts[product] = products.count - 1
      return products.count - 1
    }

    private mutating func append(_ frame: GRIBFrame, _ product: Int, _ grid: Int, _ seconds: Int64) {
      fields.append(
        GRIBField(
          offset: frame.offset, part: frame.part, pieces: frame.pieces, product: product, grid: grid, baseTime: seconds)
      )
    }
  }
}
