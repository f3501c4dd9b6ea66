# Libraries that the system's packages describe well enough themselves.

set(CMAKE_THREAD_PREFER_PTHREAD ON)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(hwy REQUIRED CONFIG)
if(NOT TARGET hwy)
  add_library(hwy INTERFACE IMPORTED GLOBAL)
  target_link_libraries(hwy INTERFACE hwy::hwy)
endif()
if(NOT TARGET yaml-cpp)
  add_library(yaml-cpp INTERFACE IMPORTED GLOBAL)
  target_link_libraries(yaml-cpp INTERFACE yaml-cpp::yaml-cpp)
endif()

# Debian's libzip-targets.cmake insists on command line tools of other packages, so the library is found by itself.
find_path(TARMAC_ZIP_INCLUDE zip.h REQUIRED)
find_library(TARMAC_ZIP_LIBRARY zip REQUIRED)
mark_as_advanced(TARMAC_ZIP_INCLUDE TARMAC_ZIP_LIBRARY)
if(NOT TARGET libzip)
  add_library(libzip SHARED IMPORTED GLOBAL)
  set_target_properties(libzip PROPERTIES
    IMPORTED_LOCATION ${TARMAC_ZIP_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${TARMAC_ZIP_INCLUDE})
endif()
