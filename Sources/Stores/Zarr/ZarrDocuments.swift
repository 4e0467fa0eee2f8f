import Basics

/// The metadata documents of a Zarr group, of format 2 or 3, consolidated or not.
struct ZarrDocuments {
  let version: Int
  let isConsolidated: Bool
  /// The file that says so.
  let place: String
  private(set) var groupAttributes: JSONValue = .object([:])
  /// The documents of arrays by name, "group/array" below the top: the array's document, its attributes.
  private(set) var arrays: [String: (document: JSONValue, attributes: JSONValue)] = [:]

  /// Groups in groups that are looked into.
  private static let deepest = 8
  /// Names that are looked at, in all groups together.
  private static let entryLimit = 100_000
  private var entryCount = 0
  private let budget = Budget()

  /// Bytes that all documents of a store may have together.
  private final class Budget {
    private var left = documentLimit

    func take(_ count: Int, _ storage: any Storage) throws {
      left -= count
      if left >= 0 { return }
      throw JigsawError(
        storage.location, "has too long metadata documents", expected: "at most \(documentLimit) bytes together",
        remedy: "don't trust this store")
    }
  }

  init(_ storage: any Storage) throws {
    if let json = try ZarrDocuments.document(storage, "zarr.json", budget) {
      version = 3
      place = storage.place("zarr.json")
      guard json["zarr_format"]?.integer == 3, json["node_type"]?.string == "group" else {
        throw JigsawError(
          place, "is not that of a Zarr group of format 3", expected: "zarr_format 3 and node_type \"group\"",
          remedy: json["node_type"]?.string == "array" ? "name the group that holds this array" : nil)
      }
      groupAttributes = json["attributes"] ?? .object([:])
      let consolidated = json["consolidated_metadata"]
      isConsolidated = consolidated?.object != nil
      if isConsolidated {
        guard let members = consolidated?["metadata"]?.object else {
          throw JigsawError(place, "has no 'metadata'", remedy: "consolidate the store again")
        }
        for (name, member) in members {
          try requireSafe(name)
          guard member["node_type"]?.string == "array" else { continue }
          if name.isEmpty {
            throw JigsawError(place, "has an array without a name", remedy: "consolidate the store again")
          }
          add(name, version3: member)
        }
      } else {
        try list3(storage, "", depth: 0)
      }
    } else if let json = try ZarrDocuments.document(storage, ".zmetadata", budget) {
      version = 2
      isConsolidated = true
      place = storage.place(".zmetadata")
      guard let members = json["metadata"]?.object else {
        throw JigsawError(place, "has no 'metadata'", remedy: "consolidate the store again")
      }
      groupAttributes = members[".zattrs"] ?? .object([:])
      for (key, document) in members {
        try requireSafe(key)
        guard key.hasSuffix("/.zarray") else { continue }
        let name = String(key.dropLast("/.zarray".count))
        arrays[name] = (document, members["\(name)/.zattrs"] ?? .object([:]))
      }
    } else {
      version = 2
      isConsolidated = false
      place = storage.location
      guard try ZarrDocuments.document(storage, ".zgroup", budget) != nil else {
        // A server that refused it says so now.
        _ = try storage.read(".zgroup", nil, limit: documentLimit)
        throw JigsawError(
          storage.location, "is not a Zarr group (no zarr.json, .zmetadata or .zgroup in it)",
          remedy: try storage.readDocument(".zarray") == nil ? nil : "name the group that holds this array")
      }
      groupAttributes = try ZarrDocuments.document(storage, ".zattrs", budget) ?? .object([:])
      try list2(storage, "", depth: 0)
    }
  }

  private static func document(_ storage: any Storage, _ key: String, _ budget: Budget) throws -> JSONValue? {
    try storage.readDocument(key).map { document in
      try budget.take(document.count, storage)
      return try JSONValue(parsing: document, place: storage.place(key))
    }
  }

  /// No name may lead out of the store.
  private func requireSafe(_ name: String) throws {
    if name.isEmpty { return }
    if let problem = SafeName.problem(name) {
      throw JigsawError(place, "has the key '\(name.prefix(80))', which \(problem)", remedy: "don't trust this store")
    }
  }

  /// - Throws: when a group lists more than a store can have.
  private mutating func list(_ storage: any Storage, _ group: String) throws -> [String] {
    let entries = try storage.list(group)
    // Names of a folder on this machine may be anything, and are looked at below.
    if !(storage is FolderStorage) { for entry in entries { try requireSafe(entry) } }
    entryCount += entries.count
    guard entryCount <= ZarrDocuments.entryLimit else {
      throw JigsawError(
        storage.location, "has too many names in its groups", expected: "at most \(ZarrDocuments.entryLimit)",
        remedy: "consolidate its metadata")
    }
    return entries
  }

  /// Whether a group is one of those above it, by a link.
  private func isCycle(_ storage: any Storage, _ group: String) -> Bool {
    var above = group
    while let slash = above.lastIndex(of: "/") {
      above = String(above[..<slash])
      if storage.isSameFolder(group, above) { return true }
    }
    return storage.isSameFolder(group, "")
  }

  private mutating func add(_ name: String, version3 document: JSONValue) {
    arrays[name] = (document, document["attributes"] ?? .object([:]))
  }

  private mutating func list3(_ storage: any Storage, _ group: String, depth: Int) throws {
    for entry in try list(storage, group) {
      let name = group.isEmpty ? entry : "\(group)/\(entry)"
      guard entry != "zarr.json", let document = try ZarrDocuments.document(storage, "\(name)/zarr.json", budget) else {
        continue
      }
      if document["node_type"]?.string == "array" {
        try requireSafe(name)
        add(name, version3: document)
      } else if depth < ZarrDocuments.deepest, !isCycle(storage, name) {
        try list3(storage, name, depth: depth + 1)
      }
    }
  }

  private mutating func list2(_ storage: any Storage, _ group: String, depth: Int) throws {
    for entry in try list(storage, group) where !entry.hasPrefix(".z") {
      let name = group.isEmpty ? entry : "\(group)/\(entry)"
      if let document = try ZarrDocuments.document(storage, "\(name)/.zarray", budget) {
        try requireSafe(name)
        arrays[name] = (document, try ZarrDocuments.document(storage, "\(name)/.zattrs", budget) ?? .object([:]))
      } else if depth < ZarrDocuments.deepest, try storage.readDocument("\(name)/.zgroup") != nil,
        !isCycle(storage, name)
      {
        try list2(storage, name, depth: depth + 1)
      }
    }
  }
}
