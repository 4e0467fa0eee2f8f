import Basics
import CNetCDF

/// The groups of a NetCDF file, and what its variables and dimensions are called in all of it. To be made under the library's lock.
struct NetCDFGroups {
  struct Variable: Sendable, Hashable {
    let group, variable: Int32
  }

  private(set) var variables: [Variable] = []
  /// By number, of which each stands for one dimension of the whole file.
  private(set) var dimensions: [Int32: String] = [:]
  private var names: [Variable: String] = [:]

  private static let groupLimit = 4_096

  init(_ file: Int32, _ path: String) throws {
    var groups: [(id: Int32, prefix: String)] = [(file, "")]
    var next = 0
    var own: [(variable: Variable, prefix: String, name: String)] = []
    var lengths: [(id: Int32, prefix: String, name: String)] = []
    while next < groups.count {
      let (group, prefix) = groups[next]
      next += 1
      for variable in try NetCDFGroups.identifiers(path, { nc_inq_varids(group, $0, $1) }) {
        let name = try NetCDFGroups.name(path) { nc_inq_varname(group, variable, $0) }
        own.append((Variable(group: group, variable: variable), prefix, name))
      }
      for dimension in try NetCDFGroups.identifiers(path, { nc_inq_dimids(group, $0, $1, 0) }) {
        lengths.append((dimension, prefix, try NetCDFGroups.name(path) { nc_inq_dimname(group, dimension, $0) }))
      }
      for inner in try NetCDFGroups.identifiers(path, { nc_inq_grps(group, $0, $1) }) {
        let name = try NetCDFGroups.name(path) { nc_inq_grpname(inner, $0) }
        groups.append((inner, "\(prefix)\(name)/"))
      }
      guard groups.count <= NetCDFGroups.groupLimit else {
        throw JigsawError(path, "has too many groups", expected: "at most \(NetCDFGroups.groupLimit)")
      }
    }
    let variableCounts = Dictionary(own.map { ($0.name, 1) }, uniquingKeysWith: +)
    let dimensionCounts = Dictionary(lengths.map { ($0.name, 1) }, uniquingKeysWith: +)
    for entry in lengths {
      dimensions[entry.id] = dimensionCounts[entry.name] == 1 ? entry.name : entry.prefix + entry.name
    }
    for entry in own {
      // A coordinate is called as its dimension is.
      let isCoordinate = dimensionCounts[entry.name] ?? 0 > 1
      let isAlone = variableCounts[entry.name] == 1 && !isCoordinate
      names[entry.variable] = isAlone ? entry.name : entry.prefix + entry.name
    }
    variables = own.map(\.variable)
  }

  func name(of variable: Variable) -> String { names[variable] ?? "" }

  private static func identifiers(
    _ path: String, _ inquire: (UnsafeMutablePointer<Int32>, UnsafeMutablePointer<Int32>?) -> Int32
  ) throws -> [Int32] {
    var count: Int32 = 0
    try NetCDFLibrary.check(inquire(&count, nil), path, "inspect")
    guard count > 0 else { return [] }
    var numbers = [Int32](repeating: 0, count: Int(count))
    try NetCDFLibrary.check(inquire(&count, &numbers), path, "inspect")
    return numbers
  }

  private static func name(_ path: String, _ inquire: (UnsafeMutablePointer<CChar>) -> Int32) throws -> String {
    var name = [CChar](repeating: 0, count: Int(NC_MAX_NAME) + 1)
    try NetCDFLibrary.check(inquire(&name), path, "inspect")
    return NetCDFStore.string(name)
  }
}
