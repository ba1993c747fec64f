//go:build !purego

#include "textflag.h"

// The exponential is that of float32 numbers, computed in float64 as the sum
// of a series and rounded once: the same as Go's math.Exp rounded to float32,
// which TestExp checks. The constants are the least and the greatest argument,
// log2(e), the shift that rounds, both parts of ln(2), 1, and the reciprocals
// of the factorials from 13 down to 2, each four times.

// EXPONENTIALS makes Y6 and Y7 the exponentials of Y0 and Y1, four numbers each,
// and uses Y4 to Y9. DX points to the constants, of which Y12 holds 1, Y13 the
// shift, Y14 the greatest argument and Y15 the least.
#define EXPONENTIALS \
	VMINPD Y0, Y14, Y0; \
	VMINPD Y1, Y14, Y1; \
	VMAXPD Y0, Y15, Y0; \
	VMAXPD Y1, Y15, Y1; \
	VMULPD 64(DX), Y0, Y4; \
	VMULPD 64(DX), Y1, Y5; \
	VADDPD Y13, Y4, Y4; \
	VADDPD Y13, Y5, Y5; \
	VSUBPD Y13, Y4, Y6; \
	VSUBPD Y13, Y5, Y7; \
	VMULPD 128(DX), Y6, Y8; \
	VMULPD 128(DX), Y7, Y9; \
	VSUBPD Y8, Y0, Y0; \
	VSUBPD Y9, Y1, Y1; \
	VMULPD 160(DX), Y6, Y8; \
	VMULPD 160(DX), Y7, Y9; \
	VSUBPD Y8, Y0, Y0; \
	VSUBPD Y9, Y1, Y1; \
	VMULPD 224(DX), Y0, Y6; \
	VMULPD 224(DX), Y1, Y7; \
	VADDPD 256(DX), Y6, Y6; \
	VADDPD 256(DX), Y7, Y7; \
	VMULPD Y0, Y6, Y6; \
	VMULPD Y1, Y7, Y7; \
	VADDPD 288(DX), Y6, Y6; \
	VADDPD 288(DX), Y7, Y7; \
	VMULPD Y0, Y6, Y6; \
	VMULPD Y1, Y7, Y7; \
	VADDPD 320(DX), Y6, Y6; \
	VADDPD 320(DX), Y7, Y7; \
	VMULPD Y0, Y6, Y6; \
	VMULPD Y1, Y7, Y7; \
	VADDPD 352(DX), Y6, Y6; \
	VADDPD 352(DX), Y7, Y7; \
	VMULPD Y0, Y6, Y6; \
	VMULPD Y1, Y7, Y7; \
	VADDPD 384(DX), Y6, Y6; \
	VADDPD 384(DX), Y7, Y7; \
	VMULPD Y0, Y6, Y6; \
	VMULPD Y1, Y7, Y7; \
	VADDPD 416(DX), Y6, Y6; \
	VADDPD 416(DX), Y7, Y7; \
	VMULPD Y0, Y6, Y6; \
	VMULPD Y1, Y7, Y7; \
	VADDPD 448(DX), Y6, Y6; \
	VADDPD 448(DX), Y7, Y7; \
	VMULPD Y0, Y6, Y6; \
	VMULPD Y1, Y7, Y7; \
	VADDPD 480(DX), Y6, Y6; \
	VADDPD 480(DX), Y7, Y7; \
	VMULPD Y0, Y6, Y6; \
	VMULPD Y1, Y7, Y7; \
	VADDPD 512(DX), Y6, Y6; \
	VADDPD 512(DX), Y7, Y7; \
	VMULPD Y0, Y6, Y6; \
	VMULPD Y1, Y7, Y7; \
	VADDPD 544(DX), Y6, Y6; \
	VADDPD 544(DX), Y7, Y7; \
	VMULPD Y0, Y6, Y6; \
	VMULPD Y1, Y7, Y7; \
	VADDPD 576(DX), Y6, Y6; \
	VADDPD 576(DX), Y7, Y7; \
	VMULPD Y0, Y6, Y6; \
	VMULPD Y1, Y7, Y7; \
	VADDPD Y12, Y6, Y6; \
	VADDPD Y12, Y7, Y7; \
	VMULPD Y0, Y6, Y6; \
	VMULPD Y1, Y7, Y7; \
	VADDPD Y12, Y6, Y6; \
	VADDPD Y12, Y7, Y7; \
	VPSLLQ $52, Y4, Y4; \
	VPSLLQ $52, Y5, Y5; \
	VPADDQ Y12, Y4, Y4; \
	VPADDQ Y12, Y5, Y5; \
	VMULPD Y4, Y6, Y6; \
	VMULPD Y5, Y7, Y7

// func expAVX2(x *float32, n int, constants *[19][4]float64)
//
// n is a multiple of 8, here and below.
TEXT ·expAVX2(SB), NOSPLIT, $0-24
	MOVQ x+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ constants+16(FP), DX
	VMOVUPD 32(DX), Y14
	VMOVUPD (DX), Y15
	VMOVUPD 96(DX), Y13
	VMOVUPD 192(DX), Y12

step:
	VCVTPS2PD (DI), Y0
	VCVTPS2PD 16(DI), Y1
	EXPONENTIALS
	VCVTPD2PSY Y6, X6
	VCVTPD2PSY Y7, X7
	VINSERTF128 $1, X7, Y6, Y6
	VMOVUPS Y6, (DI)
	ADDQ    $32, DI
	SUBQ    $8, CX
	JNE     step
	VZEROUPPER
	RET

// func siluAVX2(gate, up *float32, n int, constants *[19][4]float64)
//
// gate = gate / (1 + exp(-gate)) * up
TEXT ·siluAVX2(SB), NOSPLIT, $0-32
	MOVQ gate+0(FP), DI
	MOVQ up+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ constants+24(FP), DX
	VMOVUPD 32(DX), Y14
	VMOVUPD (DX), Y15
	VMOVUPD 96(DX), Y13
	VMOVUPD 192(DX), Y12
	VPCMPEQD Y11, Y11, Y11
	VPSLLD   $31, Y11, Y11 // signs
	VCVTPD2PSY Y12, X10
	VINSERTF128 $1, X10, Y10, Y10 // ones

step:
	VMOVUPS (DI), Y2
	VXORPS  Y11, Y2, Y3
	VCVTPS2PD X3, Y0
	VEXTRACTF128 $1, Y3, X3
	VCVTPS2PD X3, Y1
	EXPONENTIALS
	VCVTPD2PSY Y6, X6
	VCVTPD2PSY Y7, X7
	VINSERTF128 $1, X7, Y6, Y6
	VADDPS  Y6, Y10, Y6
	VDIVPS  Y6, Y2, Y2
	VMULPS  (SI), Y2, Y2
	VMOVUPS Y2, (DI)
	ADDQ    $32, DI
	ADDQ    $32, SI
	SUBQ    $8, CX
	JNE     step
	VZEROUPPER
	RET
