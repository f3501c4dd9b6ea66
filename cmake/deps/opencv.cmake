# The four OpenCV modules in use, found one by one: Debian's OpenCVConfig.cmake insists on all fifty.

find_path(TARMAC_OPENCV_INCLUDE opencv2/core.hpp PATH_SUFFIXES opencv4 REQUIRED)
foreach(module IN ITEMS core imgproc imgcodecs videoio)
  find_library(TARMAC_OPENCV_${module} opencv_${module} REQUIRED)
  mark_as_advanced(TARMAC_OPENCV_${module})
  if(NOT TARGET opencv_${module})
    add_library(opencv_${module} SHARED IMPORTED GLOBAL)
    set_target_properties(opencv_${module} PROPERTIES
      IMPORTED_LOCATION ${TARMAC_OPENCV_${module}}
      INTERFACE_INCLUDE_DIRECTORIES ${TARMAC_OPENCV_INCLUDE})
  endif()
endforeach()
mark_as_advanced(TARMAC_OPENCV_INCLUDE)
set_property(TARGET opencv_imgproc PROPERTY INTERFACE_LINK_LIBRARIES opencv_core)
set_property(TARGET opencv_imgcodecs PROPERTY INTERFACE_LINK_LIBRARIES opencv_imgproc)
set_property(TARGET opencv_videoio PROPERTY INTERFACE_LINK_LIBRARIES opencv_imgcodecs)

# Codecs are loaded by name when the first picture or video is read; see contract/picture_codecs.h.
function(tarmac_soname library result)
  execute_process(COMMAND ${CMAKE_OBJDUMP} -p ${library} OUTPUT_VARIABLE headers COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCH "SONAME +([^\n]+)" _ "${headers}")
  set(${result} ${CMAKE_MATCH_1} PARENT_SCOPE)
endfunction()
tarmac_soname(${TARMAC_OPENCV_imgcodecs} TARMAC_OPENCV_CODECS)
tarmac_soname(${TARMAC_OPENCV_videoio} TARMAC_OPENCV_VIDEO)
