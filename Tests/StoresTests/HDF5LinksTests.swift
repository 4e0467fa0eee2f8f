import Basics
import Testing
import TestSupport

@testable import Stores

#if canImport(Glibc)
  import Glibc
#endif

/// NetCDF-4 files with what HDF5 allows beyond NetCDF, made with HDF5's own functions.
@Suite struct HDF5LinksTests {
  /// Looks a function up that is linked by way of netCDF-C.
  private func function<F>(_ name: String) throws -> F { unsafeBitCast(try #require(dlsym(nil, name)), to: F.self) }

  private func number(_ name: String) throws -> Int64 {
    try #require(dlsym(nil, name)).load(as: Int64.self)
  }

  /// A store of ours, and more put into it.
  private func file(_ body: (Int64) throws -> Void) throws -> (TemporaryFolder, String) {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.nc"
    try SyntheticData().write(path)
    #expect(try openStore(path).arrays["msl"] != nil)
    let open: @convention(c) (UnsafePointer<CChar>, UInt32, Int64) -> Int64 = try function("H5Fopen")
    let close: @convention(c) (Int64) -> Int32 = try function("H5Fclose")
    let create: @convention(c) (Int64, UnsafePointer<CChar>, Int64, Int64, Int64) -> Int64 = try function("H5Gcreate2")
    let closeGroup: @convention(c) (Int64) -> Int32 = try function("H5Gclose")
    try NetCDFLibrary.withLock {
      let file = open(path, 1, 0)
      try #require(file >= 0)
      _ = closeGroup(create(file, "a", 0, 0, 0))
      try body(file)
      #expect(close(file) >= 0)
    }
    return (folder, path)
  }

  @Test(arguments: [true, false]) func groupsThatLeadBackAreRefused(isHard: Bool) throws {
    let (folder, path) = try file { file in
      if isHard {
        let link: @convention(c) (Int64, UnsafePointer<CChar>, Int64, UnsafePointer<CChar>, Int64, Int64) -> Int32 =
          try function("H5Lcreate_hard")
        #expect(link(file, "/", file, "a/up", 0, 0) >= 0)
      } else {
        let link: @convention(c) (UnsafePointer<CChar>, Int64, UnsafePointer<CChar>, Int64, Int64) -> Int32 =
          try function("H5Lcreate_soft")
        #expect(link("/a", file, "a/up", 0, 0) >= 0)
      }
    }
    let error = #expect(throws: JigsawError.self) { try openStore(path) }
    #expect(error?.description.contains("a.nc: up: is a group that leads back to a group it is in") == true)
    withExtendedLifetime(folder) {}
  }

  @Test func valuesInOtherFilesAreNotRead() throws {
    for isVirtual in [false, true] {
      let (folder, path) = try file { file in
        let makeList: @convention(c) (Int64) -> Int64 = try function("H5Pcreate")
        let makeSpace: @convention(c) (Int32, UnsafePointer<UInt64>, UnsafePointer<UInt64>?) -> Int64 =
          try function("H5Screate_simple")
        let create: @convention(c) (Int64, UnsafePointer<CChar>, Int64, Int64, Int64, Int64, Int64) -> Int64 =
          try function("H5Dcreate2")
        let close: @convention(c) (Int64) -> Int32 = try function("H5Dclose")
        let list = makeList(try number("H5P_CLS_DATASET_CREATE_ID_g"))
        let space = makeSpace(1, [64], nil)
        if isVirtual {
          let map: @convention(c) (Int64, Int64, UnsafePointer<CChar>, UnsafePointer<CChar>, Int64) -> Int32 =
            try function("H5Pset_virtual")
          #expect(map(list, space, "/etc/other.h5", "x", space) >= 0)
        } else {
          let external: @convention(c) (Int64, UnsafePointer<CChar>, Int, UInt64) -> Int32 =
            try function("H5Pset_external")
          #expect(external(list, "/etc/passwd", 0, 64) >= 0)
        }
        let dataset = create(file, "secret", try number("H5T_NATIVE_UINT8_g"), space, 0, list, 0)
        try #require(dataset >= 0)
        #expect(close(dataset) >= 0)
      }
      let error = #expect(throws: JigsawError.self) { try openStore(path) }
      #expect(error?.description.contains("a.nc: secret: has its values in other files") == true)
      withExtendedLifetime(folder) {}
    }
  }
}
