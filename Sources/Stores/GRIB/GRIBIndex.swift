import Basics

/// What a file holds, found by reading the headers of its messages once.
///
/// Nothing of it is kept on disk: reading headers alone takes some ten microseconds a field, and an index that outlives a change of
/// its file gives wrong fields.
struct GRIBIndex: Sendable {
  let fields: [GRIBField]
  let products: [GRIBProduct]
  let grids: [GRIBGrid]
  /// Why fields were left out, with how many.
  let leftOut: [String: Int]

  /// - Throws: naming the message that is damaged; also when there is none at all.
  init(_ file: GRIBFile) throws {
    var builder = Builder(file: file)
    var framing = GRIBFraming(file)
    try framing.forEachField { try builder.add($0) }
    if builder.fields.isEmpty {
      throw JigsawError(
        file.path, "holds no fields on a grid",
        expected: "GRIB messages of edition 1 or 2",
        found: builder.leftOut.isEmpty ? nil : builder.leftOut.keys.sorted().joined(separator: ", "))
    }
    (fields, products, grids, leftOut) = (builder.fields, builder.products, builder.grids, builder.leftOut)
  }

  private struct Builder {
    let file: GRIBFile
    var fields: [GRIBField] = []
    var products: [GRIBProduct] = []
    var grids: [GRIBGrid] = []
    var leftOut: [String: Int] = [:]
    /// Products by header without its date; -1: not on a grid.
    private var known: [[UInt8]: Int] = [:]
    private var knownProducts: [GRIBProduct: Int] = [:]
    private var knownGrids: [[UInt8]: Int] = [:]

    init(file: GRIBFile) { self.file = file }

    mutating func add(_ frame: GRIBFrame) throws {
      let place = "\(file.path): message at byte \(frame.offset)\(frame.part > 0 ? ", field \(frame.part + 1)" : "")"
      let header = try file.headerMessage(frame)
      guard let date = GRIBDate.read(header, edition: frame.edition) else {
        throw JigsawError(place, "has no date that can be", remedy: "the file is damaged; copy it again")
      }
      let grid = header[gridBytes(frame)]
      var key = header
      key.removeSubrange(date.bytes)
      let gridIndex = knownGrids[Array(grid)]
      if let product = known[key], product < 0 || gridIndex != nil {
        return append(frame, product, gridIndex ?? 0, date.seconds)
      }
      try GRIBLibrary.withMessage(header, place) { message in
        let product = try GRIBProduct(message, place)
        let index = GRIBIndex.isSpectral(product.gridType) ? -1 : number(of: product)
        if !GRIBProduct.dependsOnDate(message) { known[key] = index }
        if index < 0 { return append(frame, index, 0, date.seconds) }
        if gridIndex == nil {
          knownGrids[Array(grid)] = grids.count
          grids.append(try GRIBGrid(message, place))
        }
        append(frame, index, knownGrids[Array(grid)] ?? 0, date.seconds)
      }
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
      if product < 0 { return leftOut["fields in spherical harmonics", default: 0] += 1 }
      fields.append(
        GRIBField(
          offset: frame.offset, part: frame.part, pieces: frame.pieces, product: product, grid: grid, baseTime: seconds)
      )
    }
  }

  /// Coefficients have no grid.
  private static func isSpectral(_ gridType: String) -> Bool { gridType.hasSuffix("sh") }
}
