import Basics
import Stores

/// A store whose fields are all of one time, which is a coordinate without a dimension (CF 1.11, §5.7), as xarray's `isel(time=0)`
/// leaves it. Here the time is a dimension of one entry, so that files of a time each follow each other.
struct SingleTimeStore: ArrayStore {
  private let store: any ArrayStore
  let arrays: [String: ArrayInfo]

  /// Nil where nothing says the time, or fields have times of their own.
  /// - Throws: when fields have no latitudes and longitudes, or times that can't be read.
  init?(_ store: any ArrayStore, wanted: Set<String> = []) throws {
    guard let time = StoreAxes.singleTime(store),
      !store.arrays.values.contains(where: { $0.dimensionNames.contains(time.name) })
    else { return nil }
    let spatial = Set(try StoreAxes.findPlaces(store, wanted: wanted).dimensions)
    let found = StoreAxes.fields(store).filter { spatial.isSubset(of: $0.dimensionNames) }
    let others = Set(found.flatMap(\.dimensionNames)).subtracting(spatial)
    let isAlongTimes = store.arrays.values.contains { array in
      array.dimensions.count == 1 && others.contains(array.dimensionNames[0])
        && (StoreAxes.isTime(array) || StoreAxes.namesLead(array) || StoreAxes.isReference(array))
    }
    guard !isAlongTimes, try StoreAxes.findTime(store, used: others) == nil else { return nil }
    self.store = store
    arrays = store.arrays.merging(
      (found + [time]).map { array in
        let made = ArrayInfo(
          name: array.name, type: array.type, dimensions: [.init(name: time.name, size: 1)] + array.dimensions,
          chunks: array.chunks.map { [1] + $0 }, codec: array.codec, attributes: array.attributes,
          realAttributes: array.realAttributes)
        return (array.name, made)
      }
    ) { $1 }
  }

  var location: String { store.location }
  var format: String { store.format }
  var attributes: [String: AttributeValue] { store.attributes }
  var notes: [String] { store.notes }
  var strings: [String: StringArray] { store.strings }
  var problems: [String: JigsawError] { store.problems }
  var reads: ReadCounter { store.reads }
  var readsAtOnce: Int { store.readsAtOnce }
  var libraryBytes: Int { store.libraryBytes }

  private func isTimed(_ name: String) -> Bool { arrays[name]?.shape.count != store.arrays[name]?.shape.count }

  func read(_ name: String, _ box: [Range<Int>]) throws -> RawArray {
    guard isTimed(name) else { return try store.read(name, box) }
    if box[0].isEmpty { return RawArray(type: try info(name).type, bytes: []) }
    return try store.read(name, Array(box.dropFirst()))
  }

  func read(_ name: String, _ part: ArrayPart, _ scratch: ReadingScratch, _ take: (StoredPiece) -> Void) throws {
    guard isTimed(name) else { return try store.read(name, part, scratch, take) }
    if part.box[0].isEmpty { return }
    // The one time is always wanted.
    let only = part.only.flatMap {
      $0.dimension == 0 ? nil : ArrayPart.Only(dimension: $0.dimension - 1, indices: $0.indices)
    }
    try store.read(name, ArrayPart(Array(part.box.dropFirst()), only: only), scratch) { piece in
      take(StoredPiece(type: piece.type, box: [0..<1] + piece.box, start: piece.start, strides: [0] + piece.strides))
    }
  }

  func hasGaps(_ name: String, _ box: [Range<Int>]) -> Bool {
    isTimed(name) ? !box[0].isEmpty && store.hasGaps(name, Array(box.dropFirst())) : store.hasGaps(name, box)
  }

  func bytesKept(afterReading name: String, _ box: [Range<Int>]) -> Int {
    store.bytesKept(afterReading: name, isTimed(name) ? Array(box.dropFirst()) : box)
  }
}
