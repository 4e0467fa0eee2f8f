/// Dimensions of arrays in groups. A dimension is that of the nearest coordinate of its name: in the array's own group, or one above
/// (CF 1.11, §2.7). Where several groups have such coordinates, dimensions are called as these are: `a/latitude`.
enum ZarrGroups {
  static func scoped(_ arrays: [String: ArrayInfo]) -> [String: ArrayInfo] {
    guard arrays.keys.contains(where: { $0.contains("/") }) else { return arrays }
    // Groups that have a coordinate, by its name.
    var owners: [String: Set<Substring>] = [:]
    for array in arrays.values {
      let (group, name) = split(array.name)
      if array.dimensionNames == [String(name)] { owners[String(name), default: []].insert(group) }
    }
    return arrays.mapValues { array in
      let group = split(array.name).group
      let dimensions = array.dimensions.map { dimension -> ArrayInfo.Dimension in
        guard let groups = owners[dimension.name] else { return dimension }
        let owner = ([group] + above(group)).first(where: groups.contains)
        if owner != nil && groups.count == 1 { return dimension }
        let place = owner ?? group
        return .init(name: place.isEmpty ? dimension.name : "\(place)/\(dimension.name)", size: dimension.size)
      }
      return dimensions == array.dimensions ? array : array.with(dimensions)
    }
  }

  /// "a/b/c" as "a/b" and "c".
  private static func split(_ name: String) -> (group: Substring, name: Substring) {
    guard let slash = name.lastIndex(of: "/") else { return ("", name[...]) }
    return (name[..<slash], name[name.index(after: slash)...])
  }

  /// Groups above one, the nearest first.
  private static func above(_ group: Substring) -> [Substring] {
    var (groups, rest): ([Substring], Substring) = ([], group)
    while !rest.isEmpty {
      rest = rest.lastIndex(of: "/").map { rest[..<$0] } ?? ""
      groups.append(rest)
    }
    return groups
  }
}

extension ArrayInfo {
  fileprivate func with(_ dimensions: [Dimension]) -> ArrayInfo {
    ArrayInfo(
      name: name, type: type, dimensions: dimensions, chunks: chunks, codec: codec, attributes: attributes,
      realAttributes: realAttributes, isText: isText)
  }
}
