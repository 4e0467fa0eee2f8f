import Basics

/// An array to be created in a new store.
public struct ArrayDefinition: Sendable {
  public let name: String
  public let type: ScalarType
  /// Names of dimensions declared with the store, outermost first.
  public let dimensions: [String]
  /// Extents of the pieces in which it is stored; nil: as a whole.
  public let chunks: [Int]?
  public let attributes: [String: AttributeValue]
  /// What is read where nothing was written.
  public let fill: Double?

  public init(
    name: String, type: ScalarType, dimensions: [String], chunks: [Int]? = nil,
    attributes: [String: AttributeValue] = [:], fill: Double? = nil
  ) {
    self.name = name
    self.type = type
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

  public init(
    dimensions: [ArrayInfo.Dimension], arrays: [ArrayDefinition], attributes: [String: AttributeValue] = [:]
  ) {
    self.dimensions = dimensions
    self.arrays = arrays
    self.attributes = attributes
  }

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
public protocol ArrayWriter {
  /// Writes a box of an FP32 array, C order. In a chunked store boxes must consist of whole chunks.
  func write(_ name: String, _ box: [Range<Int>], _ values: UnsafeBufferPointer<Float>) throws
  /// Writes a whole array of numbers of any type.
  func write(_ name: String, _ values: [Double]) throws
  /// Closes and renames to the final name.
  func finish() throws
  /// Removes what was written.
  func abandon()
}

/// Creates a store at `path`, Zarr if the name ends in `.zarr`, else NetCDF-4.
///
/// - Parameters:
///   - joins: whether another process has created it, to write chunks into it too; for Zarr alone.
///   - zarrFormat: 2 or 3.
public func createStore(
  _ path: String, _ definition: StoreDefinition, joins: Bool = false, zarrFormat: Int = 2
) throws -> any ArrayWriter {
  precondition(!joins || path.hasSuffix(".zarr"), "a NetCDF file has one writer")
  if HTTPStorage.isAddress(path) {
    throw JigsawError(path, "can't be written to", expected: "a path on this machine", remedy: "write here, then copy")
  }
  return path.hasSuffix(".zarr")
    ? try ZarrWriter(path, definition, joins: joins, format: zarrFormat) : try NetCDFWriter(path, definition)
}
