export const texts = {
  'zh-CN': {
    signUp: '注册', signIn: '登录', username: '用户名', email: '邮箱', password: '密码', repeat: '再输入一次', captcha: '图形验证码',
    agree: '我同意服务条款', login: '用户名、手机号或邮箱', have: '已有账号？去登录', none: '还没有账号？去注册',
    mailed: (email: string) => `我们给 ${email} 发了一封邮件，请打开其中的链接完成注册。没收到？请看看垃圾邮件。`,
    resend: '重新发送邮件', resent: '已重新发送。', correct: '邮箱写错了？改正后发送', activate: '完成验证', proved: '邮箱已验证。', out: '退出登录',
  },
  en: {
    signUp: 'Sign up', signIn: 'Sign in', username: 'Username', email: 'Email', password: 'Password', repeat: 'Repeat the password',
    captcha: 'Text in the picture', agree: 'I agree to the terms', login: 'Username, mobile number or email',
    have: 'Have an account? Sign in', none: 'No account yet? Sign up',
    mailed: (email: string) => `We have sent an email to ${email}. Open the link in it to finish. Nothing there? Check your spam folder.`,
    resend: 'Send the email again', resent: 'Sent again.', correct: 'Wrong address? Correct it and send', activate: 'Verify my email',
    proved: 'Your email is verified.', out: 'Sign out',
  },
};
