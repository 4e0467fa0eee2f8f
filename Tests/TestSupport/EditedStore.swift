import Basics
import Stores

/// A whole store in memory, to be changed and written again: how tests make data with one thing wrong.
public struct EditedStore {
  public struct Entry {
    public var type: ScalarType
    public var dimensions: [String]
    public var chunks: [Int]?
    public var attributes: [String: AttributeValue]
    public var values: [Double]

    public init(
      type: ScalarType, dimensions: [String], chunks: [Int]? = nil, attributes: [String: AttributeValue],
      values: [Double]
    ) {
      self.type = type
      self.dimensions = dimensions
      self.chunks = chunks
      self.attributes = attributes
      self.values = values
    }
  }

  public var sizes: [(name: String, size: Int)] = []
  public var arrays: [String: Entry] = [:]
  public var attributes: [String: AttributeValue]

  public init(_ path: String) throws { try self.init(openStore(path)) }

  public init(_ store: any ArrayStore) throws {
    attributes = store.attributes
    for (name, info) in store.arrays {
      for dimension in info.dimensions where !sizes.contains(where: { $0.name == dimension.name }) {
        sizes.append((dimension.name, dimension.size))
      }
      var attributes = info.attributes
      attributes["_FillValue"] = nil
      arrays[name] = Entry(
        type: info.type, dimensions: info.dimensionNames, chunks: info.chunks, attributes: attributes,
        values: try store.read(name).doubles)
    }
  }

  /// Keeps some times alone.
  public mutating func keep(_ times: Range<Int>) {
    guard let place = sizes.firstIndex(where: { $0.name == "time" }) else { return }
    let all = sizes[place].size
    sizes[place].size = times.count
    for (name, entry) in arrays where entry.dimensions.first == "time" {
      let width = entry.values.count / all
      arrays[name]?.values = Array(entry.values[times.lowerBound * width..<times.upperBound * width])
      arrays[name]?.chunks = nil
    }
  }

  public func write(_ path: String) throws {
    let used = Set(arrays.values.flatMap(\.dimensions))
    let definitions = arrays.sorted { $0.key < $1.key }.map { name, entry in
      ArrayDefinition(
        name: name, type: entry.type, dimensions: entry.dimensions, chunks: entry.chunks, attributes: entry.attributes)
    }
    let writer = try createStore(
      path,
      StoreDefinition(
        dimensions: sizes.filter { used.contains($0.name) }.map { .init(name: $0.name, size: $0.size) },
        arrays: definitions, attributes: attributes))
    for (name, entry) in arrays { try writer.write(name, entry.values) }
    try writer.finish()
  }
}

extension Files {
  /// Copies a file or a folder with all that is in it.
  public static func copy(_ from: String, to: String) throws {
    guard isDirectory(from) else {
      // Without syncing to disk, which takes most of the time of small files.
      let file = try OutputFile(replacing: to)
      try read(from).withUnsafeBytes { try file.write($0) }
      return try file.close()
    }
    try createDirectory(to)
    for name in try list(from) { try copy("\(from)/\(name)", to: "\(to)/\(name)") }
  }
}
