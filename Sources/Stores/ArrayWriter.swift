import Basics

/// An array to be created in a new store.
public struct ArrayDefinition: Sendable {
  public let name: String
  public let type: ScalarType
  /// The meaning of the numbers of Zarr arrays; NetCDF has numbers alone.
  public let meaning: ElementMeaning
  /// Names of dimensions declared with the store, outermost first.
  public let dimensions: [String]
  /// Extents of the pieces in which it is stored; nil: as a whole.
  public let chunks: [Int]?
  public let attributes: [String: AttributeValue]
  /// The value that is read where nothing was written. The least Int64, -0x1p63, is "not a time".
  public let fill: Double?
  /// The encoding of Zarr arrays; NetCDF's are compressed by zlib.
  public let encoding: ChunkEncoding

  public init(
    name: String, type: ScalarType, meaning: ElementMeaning = .number, dimensions: [String], chunks: [Int]? = nil,
    attributes: [String: AttributeValue] = [:], fill: Double? = nil, encoding: ChunkEncoding = ChunkEncoding()
  ) {
    self.name = name
    self.type = type
    self.meaning = meaning
    self.encoding = encoding
    self.dimensions = dimensions
    self.chunks = chunks
    self.attributes = attributes
    self.fill = fill
  }
}

/// The schema of a new store.
public struct StoreDefinition: Sendable {
  public let dimensions: [ArrayInfo.Dimension]
  public let arrays: [ArrayDefinition]
  public let attributes: [String: AttributeValue]
  /// Whether a Zarr group has all metadata in one document too, so that remote readers need not ask for each.
  public let isConsolidated: Bool

  public init(
    dimensions: [ArrayInfo.Dimension], arrays: [ArrayDefinition], attributes: [String: AttributeValue] = [:],
    isConsolidated: Bool = true
  ) {
    self.isConsolidated = isConsolidated
    self.dimensions = dimensions
    self.arrays = arrays
    self.attributes = attributes
  }

  /// - Throws: naming an array or dimension whose name can't be that of a file, is one of Zarr's documents, or is given twice.
  func requireSafeNames(_ path: String) throws {
    var known: Set<String> = []
    for array in arrays {
      try SafeName.require(array.name, "array", place: path)
      if array.name.split(separator: "/").contains(where: { StoreDefinition.documents.contains(String($0)) }) {
        throw JigsawError(
          "\(path): \(array.name)", "is a name that Zarr keeps for its own documents", remedy: "give it another name")
      }
      guard known.insert(array.name).inserted else {
        throw JigsawError(
          "\(path): \(array.name)", "would be written twice, as a field and as a coordinate",
          remedy: "give the field another name with 'names' of its source")
      }
    }
    for dimension in dimensions { try SafeName.require(dimension.name, "dimension", place: path) }
  }

  private static let documents: Set<String> = [".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json"]

  func shape(of array: ArrayDefinition) -> [Int] {
    array.dimensions.map { name in
      guard let dimension = dimensions.first(where: { $0.name == name }) else {
        preconditionFailure("array \(array.name) has an undeclared dimension \(name)")
      }
      return dimension.size
    }
  }
}

/// A store being written piece by piece. It carries a temporary name until `finish`, so that what has the final name is
/// complete.
///
/// Boxes of a chunked Zarr array consist of whole chunks, of a sharded one of whole shards (cut off at the array's ends); others are
/// an error, since several processes may write at the same time, each chunk or shard by one of them.
public protocol ArrayWriter {
  /// The path at which it is until then.
  var temporary: String { get }
  /// Writes a box of an FP32 array, C order.
  func write(_ name: String, _ box: [Range<Int>], _ values: UnsafeBufferPointer<Float>) throws
  /// Writes a box of an array of any type, the values in C order and of the array's type.
  func write(_ name: String, _ box: [Range<Int>], _ values: RawArray) throws
  /// Writes a whole array of numbers of any type.
  func write(_ name: String, _ values: [Double]) throws
  /// Whether a chunk (of a sharded array: a shard) is in the store already, by its place in the grid of chunks.
  func isWritten(_ name: String, _ chunk: [Int]) -> Bool
  /// Closes and renames to the final name.
  func finish() throws
  /// Removes what was written.
  func abandon()
}

/// Creates a store at `path`, Zarr if the name ends in `.zarr`, NetCDF-4 whatever else it is called.
///
/// - Parameters:
///   - joins: whether another process has created it, to write chunks into it too; for Zarr alone.
///   - resuming: whether to continue what an earlier process left behind, and to leave something behind for a later one: each
///     chunk is synced under another name and then gets its own, so that a chunk that exists (`isWritten`) is complete, whenever
///     a process or machine stopped; a writer that is dropped removes nothing. For Zarr alone, by all processes that write.
///   - temporary: where it is written until it is complete: for those that join the `temporary` of the writer that created it, for
///     one that continues that of the earlier one; nil: a new name.
///   - zarrFormat: 2 or 3.
/// - Throws: `JigsawError` if what was left behind is another store, or the definition asks for what the format has not.
public func createStore(
  _ path: String, _ definition: StoreDefinition, joins: Bool = false, resuming: Bool = false, temporary: String? = nil,
  zarrFormat: Int = 2
) throws -> any ArrayWriter {
  let isZarr = path.ends(in: StoreEndings.zarr)
  precondition(!joins || isZarr, "a NetCDF file has one writer")
  precondition(!joins || temporary != nil, "who joins must know where the store is written")
  if HTTPStorage.isAddress(path) {
    throw JigsawError(path, "can't be written to", expected: "a path on this machine", remedy: "write here, then copy")
  }
  if isZarr {
    return try ZarrWriter(path, definition, joins: joins, resuming: resuming, temporary: temporary, format: zarrFormat)
  }
  if resuming {
    throw JigsawError(path, "can't be written in several goes", expected: "a Zarr store, whose name ends in .zarr")
  }
  return try NetCDFWriter(path, definition)
}
