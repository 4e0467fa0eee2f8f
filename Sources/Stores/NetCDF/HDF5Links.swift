import Basics

#if canImport(Glibc)
  import Glibc
#endif

/// Links that netCDF-C doesn't look at in a NetCDF-4 file, and a stranger's may have: groups that are linked into themselves, which it would
/// follow without end, and variables whose values are in other files. HDF5 is a library of netCDF's that may not be there at all,
/// so its functions are looked up by name; they are the same in versions from 1.10.3 on.
struct HDF5Links {
  private typealias Open = @convention(c) (UnsafePointer<CChar>, UInt32, Int64) -> Int64
  private typealias OpenObject = @convention(c) (Int64, UnsafePointer<CChar>, Int64) -> Int64
  private typealias Close = @convention(c) (Int64) -> Int32
  private typealias Information = @convention(c) (Int64, UnsafeMutableRawPointer, UInt32) -> Int32
  private typealias LinkInformation =
    @convention(c) (Int64, UnsafePointer<CChar>, UnsafeMutableRawPointer, Int64) -> Int32
  private typealias Found =
    @convention(c) (Int64, UnsafePointer<CChar>?, UnsafeRawPointer?, UnsafeMutableRawPointer?)
    -> Int32
  private typealias Iterate =
    @convention(c) (
      Int64, Int32, Int32, UnsafeMutablePointer<UInt64>?, Found, UnsafeMutableRawPointer?
    ) -> Int32
  private typealias Properties = @convention(c) (Int64) -> Int64
  private typealias Property = @convention(c) (Int64) -> Int32

  private let openFile: Open
  private let openObject: OpenObject
  private let closeFile, closeObject, closeProperties: Close
  private let information: Information
  private let linkInformation: LinkInformation
  private let iterate: Iterate
  private let properties: Properties
  private let layout, externalCount: Property

  /// Nil where a function is missing.
  private init?() {
    func function<F>(_ names: String...) -> F? {
      names.lazy.compactMap { dlsym(nil, $0) }.first.map { unsafeBitCast($0, to: F.self) }
    }
    guard let openFile: Open = function("H5Fopen"), let openObject: OpenObject = function("H5Oopen"),
      let closeFile: Close = function("H5Fclose"), let closeObject: Close = function("H5Oclose"),
      let closeProperties: Close = function("H5Pclose"), let information: Information = function("H5Oget_info2"),
      let linkInformation: LinkInformation = function("H5Lget_info", "H5Lget_info1"),
      let iterate: Iterate = function("H5Literate", "H5Literate1"),
      let properties: Properties = function("H5Dget_create_plist"),
      let layout: Property = function("H5Pget_layout"), let externalCount: Property = function("H5Pget_external_count")
    else { return nil }
    (self.openFile, self.openObject, self.closeFile) = (openFile, openObject, closeFile)
    (self.closeObject, self.closeProperties) = (closeObject, closeProperties)
    (self.information, self.linkInformation, self.iterate) = (information, linkInformation, iterate)
    self.properties = properties
    (self.layout, self.externalCount) = (layout, externalCount)
  }

  private static let library = HDF5Links()

  /// Deeper groups, or more objects, no file of fields has.
  private static let (depthLimit, objectLimit) = (64, 100_000)

  /// To be called under the library's lock, before the file is opened by netCDF-C. A file that HDF5 can't open is left to that.
  /// - Throws: naming the group or variable.
  static func check(_ path: String) throws {
    guard let library, try Files.readIfPresent(path, atMost: 3) != Array("CDF".utf8) else { return }
    let file = library.openFile(path, 0, 0)
    guard file >= 0 else { return }
    defer { _ = library.closeFile(file) }
    var walk = Walk(path: path)
    try library.visit(file, "/", above: [], &walk)
  }

  private struct Walk {
    let path: String
    var objectCount = 0
  }

  /// The beginning of H5O_info_t, which all versions share.
  private struct Object {
    let address: UInt64
    /// 0: a group; 1: a dataset.
    let kind: Int32
  }

  private func object(_ id: Int64) -> Object? {
    withUnsafeTemporaryAllocation(byteCount: 1_024, alignment: 16) { memory in
      guard information(id, memory.baseAddress!, 1) >= 0 else { return nil }  // H5O_INFO_BASIC
      return Object(
        address: memory.load(fromByteOffset: 8, as: UInt64.self), kind: memory.load(fromByteOffset: 16, as: Int32.self))
    }
  }

  /// Whether a link is to an object of its file, which must be there; others may lead nowhere.
  private func isHard(_ name: String, in parent: Int64) -> Bool {
    // H5L_info_t, which begins with the type of the link: 0 is H5L_TYPE_HARD.
    withUnsafeTemporaryAllocation(byteCount: 1_024, alignment: 16) { memory in
      linkInformation(parent, name, memory.baseAddress!, 0) >= 0 && memory.load(as: Int32.self) == 0
    }
  }

  /// Nil where they can't be read.
  private func names(in group: Int64) -> [String]? {
    var names: [String] = []
    let status = withUnsafeMutablePointer(to: &names) { target in
      // H5_INDEX_NAME, H5_ITER_NATIVE
      iterate(
        group, 0, 2, nil,
        { _, name, _, target in
          guard let name, let target else { return 0 }
          target.assumingMemoryBound(to: [String].self).pointee.append(String(cString: name))
          return 0
        }, target)
    }
    return status < 0 ? nil : names
  }

  /// - Parameter above: addresses of the groups that hold this one.
  private func visit(_ parent: Int64, _ name: String, above: [UInt64], _ walk: inout Walk) throws {
    let id = openObject(parent, name, 0)
    guard id >= 0 else {
      if isHard(name, in: parent) { throw HDF5Links.unreadable(name, walk) }
      return
    }
    defer { _ = closeObject(id) }
    guard let object = object(id) else { throw HDF5Links.unreadable(name, walk) }
    walk.objectCount += 1
    if object.kind == 1 { return try checkDataset(id, name, walk) }
    guard object.kind == 0 else { return }
    guard !above.contains(object.address) else {
      throw JigsawError(
        "\(walk.path): \(name)", "is a group that leads back to a group it is in",
        remedy: "remove this link, for example with h5py")
    }
    guard above.count < HDF5Links.depthLimit, walk.objectCount <= HDF5Links.objectLimit else {
      throw JigsawError(
        "\(walk.path): \(name)", "lies in too many groups",
        expected: "groups within \(HDF5Links.depthLimit) others and \(HDF5Links.objectLimit) objects at most")
    }
    guard let names = names(in: id) else { throw HDF5Links.unreadable(name, walk) }
    for name in names { try visit(id, name, above: above + [object.address], &walk) }
  }

  private func checkDataset(_ id: Int64, _ name: String, _ walk: Walk) throws {
    let list = properties(id)
    guard list >= 0 else { throw HDF5Links.unreadable(name, walk) }
    defer { _ = closeProperties(list) }
    guard layout(list) == 3 || externalCount(list) > 0 else { return }
    throw JigsawError(
      "\(walk.path): \(name)", "has its values in other files, which the file names and which are not read",
      expected: "values within the file", remedy: "copy it with h5repack or xarray, which put them in")
  }

  private static func unreadable(_ name: String, _ walk: Walk) -> JigsawError {
    JigsawError(
      "\(walk.path): \(name)", "can't be read",
      remedy: "the file was not written completely or is damaged, or its disk fails; look at it with h5debug or h5dump")
  }
}
